// cadre_replay_server: hosts the on-policy queue of one run.
#include <memory>
#include <string>
#include <utility>

#include "CLI/CLI.hpp"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "common/shutdown.h"
#include "common/status_macros.h"
#include "replay_server/experience_service.h"
#include "replay_server/metrics.h"
#include "replay_server/queue_config.h"
#include "rpc/port_file.h"
#include "rpc/server.h"
#include "spdlog/spdlog.h"

namespace {

absl::Status Serve(const std::string& address, const std::string& port_file,
                   const std::string& metrics_port, const std::string& run_id,
                   const std::string& config_path) {
  cadre::ShutdownSignal shutdown;
  CADRE_RETURN_IF_ERROR(cadre::SetUpLogging("replay"));
  CADRE_ASSIGN_OR_RETURN(auto options, cadre::LoadQueueOptions(config_path, run_id));
  cadre::Queue queue(std::move(options));
  cadre::ExperienceService service({&queue});
  CADRE_ASSIGN_OR_RETURN(const auto server, cadre::RpcServer::Create(address, {&service}));
  std::unique_ptr<cadre::MetricsServer> metrics;
  const auto registry = std::make_shared<cadre::ReplayMetrics>(&queue);
  if (!metrics_port.empty()) {
    CADRE_ASSIGN_OR_RETURN(metrics, cadre::MetricsServer::Create(metrics_port, registry, nullptr));
  }
  CADRE_RETURN_IF_ERROR(cadre::WritePortFile(port_file, server->port()));
  spdlog::info("listening on {}", server->address());
  shutdown.Wait();
  spdlog::info("stopping; the queue was: {}", queue.Info().ShortDebugString());
  service.Stop(absl::Seconds(5));
  server->Shutdown(absl::ZeroDuration());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Hosts the on-policy queue of one run", "cadre_replay_server");
  std::string address = "0.0.0.0:5000", port_file, metrics_port, run_id, config;
  app.add_option("--address", address, "host:port to listen on; port 0: any free one");
  app.add_option("--port_file", port_file, "gets the port once the server listens");
  app.add_option("--metrics_port", metrics_port, "[host:]port of /metrics and /healthz");
  app.add_option("--run_id", run_id, "the run it serves; if none, that of the first to come");
  app.add_option("--config", config, "the experiment's file, for the queue's sizes");
  if (const auto exit_code = cadre::ParseFlags(app, argc, argv)) return *exit_code;
  return cadre::ReportAndExitCode(Serve(address, port_file, metrics_port, run_id, config),
                                  app.get_name());
}
