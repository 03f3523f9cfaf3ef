// cadre: the command that people use. Flags, a subcommand, an exit code.
#include <CLI/CLI.hpp>
#include <functional>

#include "cli/commands.h"
#include "common/flags.h"
#include "common/logging.h"
#include "common/shutdown.h"
#include "common/status_macros.h"

int main(int argc, char** argv) {
  cadre::ShutdownSignal shutdown;
  CLI::App app("Distributed actor-learner reinforcement learning.", "cadre");
  app.require_subcommand(1);
  std::function<absl::Status()> run;

  cadre::TrainOptions train;
  CLI::App* command = app.add_subcommand("train", "Train an experiment");
  command->add_option("config", train.config, "Experiment (configs/*.textproto)");
  command->add_option("--set", train.overrides, "Override a field: path=value")->take_all();
  command->add_option("--seed", train.seed, "Seed, instead of the config's");
  command->add_option("--out", train.out, "Run folder (default: a new one under runs/)");
  command->add_option("--mode", train.mode, "embedded: one process; processes: real servers")
      ->check(CLI::IsMember({"embedded", "processes"}));
  command->add_option("--resume", train.resume, "Go on with the run in this folder");
  command->add_option("--device", train.device, "Where to learn: cpu, cuda or cuda:N");
  command->add_flag("--cuda_graphs,!--no-cuda_graphs", train.cuda_graphs,
                    "One CUDA graph for each update (default: on)");
  command->callback([&] { run = [&] { return cadre::Train(train, shutdown); }; });

  cadre::EvalOptions eval;
  command = app.add_subcommand("eval", "Evaluate a checkpoint; prints JSON");
  command->add_option("run", eval.run_folder, "Run folder")->required();
  command->add_option("--checkpoint", eval.checkpoint, "last, best, or a number of steps");
  command->add_option("--episodes", eval.episodes, "Episodes");
  command->add_option("--seed", eval.seed, "Seed of the episodes");
  command->add_flag("--stochastic", eval.stochastic, "Sample actions");
  command->callback([&] { run = [&] { return cadre::Eval(eval); }; });

  command = app.add_subcommand("envs", "List the environments");
  command->callback([&] { run = cadre::ListEnvironments; });

  cadre::ConfigCheckOptions check;
  CLI::App* config = app.add_subcommand("config", "Work with experiment files");
  config->require_subcommand(1);
  command = config->add_subcommand("check", "Validate one; prints it resolved");
  command->add_option("config", check.config, "Experiment")->required();
  command->add_option("--set", check.overrides, "Override a field: path=value")->take_all();
  command->callback([&] { run = [&] { return cadre::CheckConfig(check); }; });

  std::vector<std::string> addresses;
  command = app.add_subcommand("status", "What servers are doing, and what they wait for");
  command->add_option("addresses", addresses, "Of replay and parameter servers, host:port")
      ->required();
  command->callback([&] { run = [&] { return cadre::ShowStatus(addresses); }; });

  if (const auto exit_code = cadre::ParseFlags(app, argc, argv)) return *exit_code;
  return cadre::RunMain("cadre", [&]() -> absl::Status {
    CADRE_RETURN_IF_ERROR(cadre::SetUpLogging("cadre"));
    return run();
  });
}
