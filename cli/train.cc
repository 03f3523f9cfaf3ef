#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/commands.h"
#include "cli/embedded.h"
#include "cli/experiment.h"
#include "cli/live_progress.h"
#include "common/status_macros.h"
#include "learner/checkpoint.h"
#include "learner/run_folder.h"
#include "learner/training_run.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

ProgressGoal GoalOf(const ExperimentConfig& config) {
  ProgressGoal goal;
  goal.name = config.name();
  goal.env_steps = config.stop().env_steps();
  if (config.stop().has_mean_return()) goal.mean_return = config.stop().mean_return();
  return goal;
}

}  // namespace

absl::Status Train(const TrainOptions& options, ShutdownSignal& shutdown) {
  const absl::Time start = absl::Now();
  const bool resuming = !options.resume.empty();
  const std::string path = resuming ? ConfigPath(options.resume) : options.config;
  if (path.empty())
    return absl::InvalidArgumentError("train needs a CONFIG file, or --resume with a run folder");
  CADRE_ASSIGN_OR_RETURN(Experiment experiment,
                         LoadExperiment(path, options.overrides, options.seed));
  CADRE_ASSIGN_OR_RETURN(
      auto run, resuming
                    ? TrainingRun::Resume(experiment.config, experiment.environment, options.resume)
                    : TrainingRun::Create(experiment.config, experiment.environment, options.out));
  std::printf("%s: %s on %s, seed %llu, in %s\n", experiment.config.name().c_str(),
              run->trainer().summary().algorithm.c_str(), experiment.environment.id.c_str(),
              static_cast<unsigned long long>(experiment.config.seed()), run->folder().c_str());
  std::fflush(stdout);
  LiveProgress display(GoalOf(experiment.config), LiveProgress::OptionsFor(stdout), stdout, start);
  run->set_listener([&](const Progress& progress) { display.Update(progress, absl::Now()); });
  absl::Status status = TrainEmbedded(experiment.config, run->trainer(), shutdown);
  display.Finish(absl::Now());
  CADRE_RETURN_IF_ERROR(run->Finish(status));
  std::printf("%s", FormatSummary(run->trainer(), run->folder()).c_str());
  return absl::OkStatus();
}

}  // namespace cadre
