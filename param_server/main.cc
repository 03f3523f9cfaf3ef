// cadre_param_server: serves the parameters and the state of one run.
#include <memory>
#include <string>

#include "common/exit_code.h"
#include "common/flags.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "common/shutdown.h"
#include "common/status_macros.h"
#include "param_server/parameter_service.h"
#include "rpc/port_file.h"
#include "rpc/server.h"
#include "spdlog/spdlog.h"

namespace {

struct Flags {
  std::string address = "0.0.0.0:5001";
  std::string run_id;
  std::string port_file;
  std::string metrics_port;
};

absl::Status Serve(const Flags& flags) {
  cadre::ShutdownSignal shutdown;
  CADRE_RETURN_IF_ERROR(cadre::SetUpLogging("param"));
  const auto registry = std::make_shared<prometheus::Registry>();
  cadre::ParameterMetrics metrics(registry.get());
  cadre::ParameterStore store(flags.run_id);
  cadre::ParameterService service(&store, &metrics);
  CADRE_ASSIGN_OR_RETURN(const auto server, cadre::RpcServer::Create(flags.address, {&service}));
  std::unique_ptr<cadre::MetricsServer> exposer;
  if (!flags.metrics_port.empty()) {
    CADRE_ASSIGN_OR_RETURN(
        exposer, cadre::MetricsServer::Create(flags.metrics_port, registry, absl::OkStatus));
  }
  CADRE_RETURN_IF_ERROR(cadre::WritePortFile(flags.port_file, server->port()));
  spdlog::info("serving run '{}' on {}", flags.run_id, server->address());
  shutdown.Wait();
  spdlog::info("shutting down");
  store.Close();
  server->Shutdown(absl::Seconds(5));
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Serves the parameters and the state of one run", "cadre_param_server");
  Flags flags;
  app.add_option("--address", flags.address, "host:port to listen on; port 0: any")
      ->capture_default_str();
  app.add_option("--run_id", flags.run_id, "the run that is served; others are refused")
      ->required();
  app.add_option("--port_file", flags.port_file, "gets the port once the server listens");
  app.add_option("--metrics_port", flags.metrics_port, "[host:]port of /metrics and /healthz");
  if (const auto exit_code = cadre::ParseFlags(app, argc, argv)) return *exit_code;
  return cadre::ReportAndExitCode(Serve(flags), app.get_name());
}
