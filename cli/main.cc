// cadre: the command that people use. Flags, a subcommand, an exit code.
//
// Those that have something to save or to clear away handle signals. The others, such as eval,
// leave them their meaning: the first one ends them, whatever they wait for.
#include <CLI/CLI.hpp>
#include <functional>

#include "cli/commands.h"
#include "cli/plan.h"
#include "common/process/flags.h"
#include "common/process/logging.h"
#include "common/process/shutdown.h"
#include "common/status_macros.h"

namespace {

void AddPlanFlags(CLI::App& command, cadre::PlanOptions& plan) {
  command.add_option("config", plan.config, "Experiment")->required();
  command.add_option("--set", plan.overrides, "Override a field: path=value")->take_all();
  command.add_option("--actors", plan.actors, "Actors, instead of the config's");
  command.add_option("--mode", plan.mode, "embedded: one process; processes: real servers")
      ->check(CLI::IsMember({"embedded", "processes"}));
  command.add_flag("--cluster", plan.cluster, "Each process on a machine of its own");
  command.add_option("--cores", plan.cores, "Of the machine, or of each server's");
  command.add_option("--network_gbps", plan.network_gbps, "Of each machine of the cluster");
  command.add_option("--env_seconds", plan.env_seconds, "Of one environment step");
  command.add_option("--inference_seconds", plan.inference_seconds, "For one environment step");
  command.add_option("--update_seconds", plan.update_seconds, "Of one update (a gradient step)");
  command.add_option("--observation_bytes", plan.observation_bytes, "Of one observation");
  command.add_option("--parameters", plan.parameters, "Of the network that actors follow");
  command.add_flag("--json", plan.json, "One line of JSON");
}

}  // namespace

int main(int argc, char** argv) {
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
  command->add_option("--checkpoint", train.checkpoint,
                      "Of --resume: last, best, or a number of steps; what came after it is "
                      "superseded (default: the newest that is intact)");
  command->add_option("--device", train.device,
                      "Where to learn: cpu, cuda:N, or cuda: a device for each learner");
  command->add_flag("--cuda_graphs,!--no-cuda_graphs", train.cuda_graphs,
                    "One CUDA graph for each update (default: on)");
  command
      ->add_option("--metrics_port", train.metrics_port,
                   "Of /metrics and /healthz; with --mode processes the first of several")
      ->check(CLI::Range(1, 65535));
  command->callback([&] {
    run = [&] {
      cadre::ShutdownSignal shutdown;
      return cadre::Train(train, shutdown);
    };
  });

  cadre::EvalOptions eval;
  command = app.add_subcommand("eval", "Evaluate a checkpoint; prints JSON");
  command->add_option("run", eval.run_folder, "Run folder")->required();
  command->add_option("--checkpoint", eval.checkpoint, "last, best, or a number of steps");
  command->add_option("--episodes", eval.episodes, "Episodes");
  command->add_option("--seed", eval.seed, "Seed of the episodes");
  command->add_flag("--stochastic", eval.stochastic, "Sample actions");
  command->callback([&] { run = [&] { return cadre::Eval(eval); }; });

  CLI::App* envs = app.add_subcommand("envs", "List the environments; check or serve one");
  envs->require_subcommand(0, 1);
  envs->callback([&] {
    if (envs->get_subcommands().empty()) run = cadre::ListEnvironments;
  });
  cadre::EnvironmentCheckOptions env_check;
  command = envs->add_subcommand("check", "Does one keep the rules? Prints what is wrong");
  command
      ->add_option("environment", env_check.environment,
                   "An id, a plugin (lib.so), a config (*.textproto), or the text of a config's "
                   "environment { ... }")
      ->required();
  command->add_option("--steps", env_check.steps, "Of each of three environments")
      ->check(CLI::PositiveNumber);
  command->callback([&] { run = [&] { return cadre::CheckOneEnvironment(env_check); }; });

  cadre::ServeEnvironmentsOptions env_serve;
  command = envs->add_subcommand(
      "serve", "Environments for the Python process that started this one (cadre.make_vec)");
  command->add_option("environment", env_serve.environment, "As of check")->required();
  command->add_option("--num_envs", env_serve.count, "Copies")->check(CLI::PositiveNumber);
  command->add_option("--control", env_serve.control, "Descriptor of a socket")->required();
  command->add_option("--memory", env_serve.memory, "Descriptor of a file")->required();
  command->callback([&] { run = [&] { return cadre::ServeLocalEnvironments(env_serve); }; });

  cadre::ConfigCheckOptions check;
  CLI::App* config = app.add_subcommand("config", "Work with experiment files");
  config->require_subcommand(1);
  command = config->add_subcommand("check", "Validate one; prints it resolved");
  command->add_option("config", check.config, "Experiment")->required();
  command->add_option("--set", check.overrides, "Override a field: path=value")->take_all();
  command->callback([&] { run = [&] { return cadre::CheckConfig(check); }; });

  cadre::PlanOptions plan;
  AddPlanFlags(*app.add_subcommand("plan", "Predict speed, and what saturates first"), plan);
  app.get_subcommand("plan")->callback([&] {
    run = [&] {
      cadre::ShutdownSignal shutdown;
      return cadre::MakeAndPrintPlan(plan, shutdown);
    };
  });

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
