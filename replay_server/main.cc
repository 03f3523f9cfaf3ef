// cadre_replay_server: hosts the experience of runs, an on-policy queue or replay tables.
#include <memory>

#include "CLI/CLI.hpp"
#include "common/process/exit_code.h"
#include "common/process/flags.h"
#include "common/process/logging.h"
#include "common/process/shutdown.h"
#include "common/status_macros.h"
#include "replay_server/service/replay_server_process.h"
#include "spdlog/spdlog.h"

namespace {

absl::Status Serve(const cadre::ReplayServerOptions& options) {
  cadre::ShutdownSignal shutdown;
  CADRE_RETURN_IF_ERROR(cadre::SetUpLogging("replay"));
  CADRE_ASSIGN_OR_RETURN(const auto process, cadre::ReplayServerProcess::Create(options));
  spdlog::info("listening on {}", process->address());
  shutdown.Wait();
  return process->Stop();
}

void AddFlags(CLI::App& app, cadre::ReplayServerOptions& options) {
  app.add_option("--address", options.address, "host:port to listen on; port 0: any free one")
      ->capture_default_str();
  app.add_option("--port_file", options.port_file, "gets the port once the server listens");
  app.add_option("--metrics_port", options.metrics_port, "[host:]port of /metrics and /healthz");
  app.add_option("--run_id", options.run_id,
                 "the run it serves; if none, that of the first to come");
  auto* const config = app.add_option("--config", options.files.experiment,
                                      "the experiment's file: hosts its queue or its table");
  app.add_option("--set", options.files.overrides, "override a field of it: path=value")
      ->take_all()
      ->needs(config);
  app.add_option("--shards", options.files.shards, "servers that share the experiment's table")
      ->needs(config)
      ->capture_default_str();
  app.add_option("--tables", options.files.tables, "a ReplayServerConfig: hosts these tables")
      ->excludes(config);
  app.add_option("--storage_folder", options.storage_folder,
                 "maps the tables' rows from files there: for tables larger than memory");
  auto* const folder = app.add_option("--checkpoint_folder", options.checkpoint_folder,
                                      "saves the tables there, and begins with the newest");
  app.add_option("--checkpoint_seconds", options.checkpoint_seconds,
                 "from one checkpoint to the next; 0: on request and at the end only")
      ->needs(folder)
      ->capture_default_str();
  app.add_option("--checkpoint_keep", options.checkpoint_keep, "the newest so many are kept")
      ->needs(folder)
      ->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Hosts experience: the queue or the replay tables of a run", "cadre_replay_server");
  cadre::ReplayServerOptions options;
  AddFlags(app, options);
  if (const auto exit_code = cadre::ParseFlags(app, argc, argv)) return *exit_code;
  return cadre::RunMain(app.get_name(), [&options] { return Serve(options); });
}
