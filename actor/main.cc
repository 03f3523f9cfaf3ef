// cadre_actor: steps environments and streams what they show to the replay server.
#include "CLI/CLI.hpp"
#include "actor/actor_process.h"
#include "common/process/flags.h"
#include "common/process/logging.h"
#include "common/process/shutdown.h"
#include "common/status_macros.h"

int main(int argc, char** argv) {
  cadre::ShutdownSignal shutdown;
  cadre::ActorProcessOptions options;
  CLI::App app("Steps environments for one run", "cadre_actor");
  app.add_option("--config", options.config, "experiment")->required();
  app.add_option("--set", options.overrides, "override a field: path=value")->take_all();
  auto* const index = app.add_option("--index", options.index, "of this actor in the run, from 0");
  auto* const name = app.add_option("--name", options.name,
                                    "instead of --index, where nobody numbers: any name that no "
                                    "other actor has, such as its pod's")
                         ->excludes(index);
  app.add_option("--learner", options.learner, "with --name: of which learner, from 0")
      ->needs(name);
  app.add_option("--run_id", options.run_id, "of the run; others are refused")->required();
  app.add_option("--replay", options.replay_address,
                 "replay server, host:port; several that share a table: separated by commas")
      ->required();
  app.add_option("--parameters", options.parameter_address,
                 "parameter server, host:port; several replicas: separated by commas")
      ->required();
  app.add_option("--parameter_encoding", options.parameter_encoding,
                 "float32, or bf16 for half the bytes")
      ->capture_default_str();
  app.add_option("--metrics_port", options.metrics_address, "[host:]port of /metrics and /healthz");
  app.add_option("--step_seconds", options.step_seconds,
                 "a step of its environments takes so long at least: to try a cluster");
  app.add_option("--connect_timeout", options.connect_seconds,
                 "seconds to reach the servers at first");
  app.add_flag("--stay", options.stay,
               "once the run is FINISHED, wait for SIGTERM: where whatever ends is started again");
  if (const auto exit = cadre::ParseFlags(app, argc, argv)) return *exit;
  return cadre::RunMain("cadre_actor", [&]() -> absl::Status {
    CADRE_RETURN_IF_ERROR(cadre::SetUpLogging("actor"));
    return cadre::RunActorProcess(options, shutdown);
  });
}
