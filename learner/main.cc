// cadre_learner: takes experience from the replay server, learns, publishes.
#include "CLI/CLI.hpp"
#include "common/process/flags.h"
#include "common/process/logging.h"
#include "common/process/shutdown.h"
#include "common/status_macros.h"
#include "learner/learner_process.h"

int main(int argc, char** argv) {
  cadre::ShutdownSignal shutdown;
  cadre::LearnerProcessOptions options;
  CLI::App app("Learns for one run", "cadre_learner");
  app.add_option("--config", options.config,
                 "experiment; with --resume instead of the one in the run's folder");
  app.add_option("--set", options.overrides, "override a field: path=value")->take_all();
  app.add_option("--seed", options.seed, "instead of the config's");
  app.add_option("--out", options.out, "run folder (default: a new one under runs/)");
  app.add_option("--resume", options.resume, "go on with the run in this folder");
  app.add_option("--rank", options.rank, "of this learner among the config's, from 0");
  app.add_option("--rendezvous", options.rendezvous,
                 "host:port where learners of one model meet; rank 0 listens there");
  app.add_option("--run_id", options.run_id, "of the run; others are refused")->required();
  app.add_option("--replay", options.replay_address, "replay server, host:port")->required();
  app.add_option("--parameters", options.parameter_address, "parameter server, host:port")
      ->required();
  app.add_option("--metrics_port", options.metrics_address, "[host:]port of /metrics and /healthz");
  app.add_option("--device", options.device,
                 "where to learn: cpu, cuda:N, or cuda: of several devices that of --rank");
  app.add_flag("--cuda_graphs,!--no-cuda_graphs", options.cuda_graphs,
               "one CUDA graph for each update (default: on)");
  app.add_flag("--supervised", options.supervised,
               "to be started again whenever it does not end with 0: goes on with the run in "
               "--out where there is one; SIGTERM saves, leaves the run open and ends with 7");
  app.add_flag("--progress_lines", options.progress_lines, "reports as JSON lines on stdout");
  app.add_option("--connect_timeout", options.connect_seconds,
                 "seconds to reach the servers at first");
  app.add_option("--collective_timeout", options.collective_seconds,
                 "seconds without a word after which learners of one model give another up "
                 "(default: 600)");
  if (const auto exit = cadre::ParseFlags(app, argc, argv)) return *exit;
  return cadre::RunMain("cadre_learner", [&]() -> absl::Status {
    CADRE_RETURN_IF_ERROR(cadre::SetUpLogging("learner"));
    return cadre::RunLearnerProcess(options, shutdown);
  });
}
