// cadre_param_server: serves the parameters and the state of one run.
#include <memory>
#include <string>

#include "common/metrics/metrics.h"
#include "common/process/flags.h"
#include "common/process/logging.h"
#include "common/process/shutdown.h"
#include "common/status_macros.h"
#include "param_server/parameter_metrics.h"
#include "param_server/parameter_server_process.h"
#include "rpc/server/port_file.h"
#include "spdlog/spdlog.h"

namespace {

struct Flags {
  cadre::ParameterServerOptions server;
  std::string port_file;
  std::string metrics_port;
};

absl::Status Serve(const Flags& flags) {
  cadre::ShutdownSignal shutdown;
  CADRE_RETURN_IF_ERROR(cadre::SetUpLogging("param"));
  const auto registry = std::make_shared<cadre::ParameterRegistry>();
  CADRE_ASSIGN_OR_RETURN(const auto process,
                         cadre::ParameterServerProcess::Create(flags.server, registry.get()));
  if (flags.server.follow.empty())
    registry->set_bottleneck([&process] { return process->work().bottleneck(); });
  std::unique_ptr<cadre::MetricsServer> exposer;
  if (!flags.metrics_port.empty()) {
    CADRE_ASSIGN_OR_RETURN(
        exposer, cadre::MetricsServer::Create(
                     flags.metrics_port, registry,
                     [&process] { return process->server().health(); }, process->more_metrics()));
  }
  CADRE_RETURN_IF_ERROR(cadre::WritePortFile(flags.port_file, process->server().port()));
  spdlog::info("serving run '{}' on {}{}", flags.server.run_id, process->server().address(),
               flags.server.follow.empty() ? "" : " as a replica of " + flags.server.follow);
  shutdown.Wait();
  spdlog::info("shutting down");
  return process->ShutDown();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Serves the parameters and the state of one run", "cadre_param_server");
  Flags flags;
  cadre::ParameterServerOptions& server = flags.server;
  app.add_option("--address", server.address, "host:port to listen on; port 0: any")
      ->capture_default_str();
  app.add_option("--run_id", server.run_id, "the run that is served; others are refused")
      ->required();
  app.add_option("--snapshot_folder", server.snapshot_folder,
                 "where everything is saved, and restored from at start");
  app.add_option("--snapshot_seconds", server.snapshot_seconds,
                 "from one snapshot to the next; 0: only at the end")
      ->capture_default_str();
  app.add_option("--snapshot_keep", server.snapshot_keep, "snapshots that are kept")
      ->capture_default_str();
  app.add_flag("--forget_finished", server.forget_finished,
               "at the end, removes the snapshots of a run that is FINISHED: what is started "
               "again goes on from the learner's checkpoint");
  app.add_option("--follow", server.follow, "host:port of another one: be its read-only replica");
  app.add_option("--port_file", flags.port_file, "gets the port once the server listens");
  app.add_option("--metrics_port", flags.metrics_port, "[host:]port of /metrics and /healthz");
  if (const auto exit_code = cadre::ParseFlags(app, argc, argv)) return *exit_code;
  return cadre::RunMain(app.get_name(), [&flags] { return Serve(flags); });
}
