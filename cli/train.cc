#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/embedded.h"
#include "cli/live_progress.h"
#include "cli/processes.h"
#include "common/config/run_topology.h"
#include "common/files/file_io.h"
#include "common/process/monotonic_time.h"
#include "common/status_macros.h"
#include "envs/experiment.h"
#include "learner/learning_device.h"
#include "learner/loop/training_run.h"
#include "learner/run_config.h"
#include "learner/run_folder/divergence.h"
#include "learner/run_folder/run_folder.h"
#include "learner/run_folder/run_lock.h"
#include "learner/run_metrics.h"
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

void PrintIfStopped(const ShutdownSignal& shutdown, const std::string& folder) {
  if (shutdown.requested())
    std::printf("stopped early, saved; go on with: %s\n", ResumeCommand(folder).c_str());
}

absl::Status Supervise(const ExperimentConfig& config, const TrainOptions& options,
                       const std::string& folder, const ResumedCheckpoint& from,
                       LiveProgress& display, ShutdownSignal& shutdown) {
  std::string account, last_verdict;
  const absl::Status status = TrainProcesses(
      {.config = config,
       .run_folder = folder,
       .from = from,
       .device = options.device,
       .cuda_graphs = options.cuda_graphs,
       .metrics_port = options.metrics_port,
       .on_progress =
           [&](const Progress& progress) { display.Update(progress, MonotonicTime::Now()); },
       .on_verdict =
           [&](const std::string& verdict) {
             display.SetVerdict(verdict);
             if (!verdict.empty()) last_verdict = verdict;
           }},
      shutdown, account);
  display.Finish(MonotonicTime::Now());
  CADRE_RETURN_IF_ERROR(WithWayBack(status, folder));
  const absl::StatusOr<std::string> summary = ReadFile(absl::StrCat(folder, "/summary.json"));
  // Stopped before the learner began, there is none.
  if (!summary.ok() && !shutdown.requested()) return summary.status();
  if (!last_verdict.empty()) account += "\nlast verdict: " + last_verdict;
  std::printf("%s%s\nresults in %s\n", summary.value_or("").c_str(), account.c_str(),
              folder.c_str());
  PrintIfStopped(shutdown, folder);
  return absl::OkStatus();
}

// All learners but the first. They go on from the checkpoint that the first goes on from.
absl::StatusOr<std::vector<std::unique_ptr<TrainingRun>>> JoinRun(const Experiment& experiment,
                                                                  const TrainOptions& options) {
  std::vector<std::unique_ptr<TrainingRun>> others;
  for (int32_t rank = 1; rank < LearnerCount(experiment.config); ++rank) {
    CADRE_ASSIGN_OR_RETURN(const DeviceOptions device,
                           OpenLearningDevice(options.device, options.cuda_graphs, rank));
    CADRE_ASSIGN_OR_RETURN(auto other, TrainingRun::Join(experiment, options.resume, rank, device,
                                                         options.checkpoint));
    others.push_back(std::move(other));
  }
  return others;
}

absl::Status CheckOptions(const TrainOptions& options) {
  if (options.resume.empty()) {
    if (options.config.empty())
      return absl::InvalidArgumentError("train needs a CONFIG file, or --resume with a run folder");
    if (!options.checkpoint.empty())
      return absl::InvalidArgumentError(
          absl::StrCat("--checkpoint: got ", options.checkpoint, "; wanted only with --resume"));
    return absl::OkStatus();
  }
  if (!options.config.empty())
    return absl::InvalidArgumentError(absl::StrCat("CONFIG: got ", options.config,
                                                   "; wanted none with --resume, which has the "
                                                   "run's own; change it with --set"));
  if (!options.out.empty())
    return absl::InvalidArgumentError(absl::StrCat(
        "--out: got ", options.out, "; wanted none with --resume, which stays in its folder"));
  return absl::OkStatus();
}

void PrintBeginning(const Experiment& experiment, TrainingRun& run) {
  std::printf("%s: %s on %s, seed %llu, in %s\n", experiment.config.name().c_str(),
              run.trainer().summary().algorithm.c_str(), experiment.environment.id.c_str(),
              static_cast<unsigned long long>(experiment.config.seed()), run.folder().c_str());
  std::fflush(stdout);
}

// The learner's process continues from the checkpoint that `run` has or makes.
absl::Status TrainInProcesses(const Experiment& experiment, const TrainOptions& options,
                              std::unique_ptr<TrainingRun> run, const ResumedCheckpoint& from,
                              LiveProgress& display, ShutdownSignal& shutdown) {
  CADRE_RETURN_IF_ERROR(run->Begin());
  PrintBeginning(experiment, *run);
  const std::string folder = run->folder();
  const std::unique_ptr<RunLock> lock = run->KeepForChildren();
  run.reset();
  return Supervise(experiment.config, options, folder, from, display, shutdown);
}

absl::Status TrainHere(const Experiment& experiment, const TrainOptions& options,
                       std::unique_ptr<TrainingRun> run, const ResumedCheckpoint& from,
                       LiveProgress& display, ShutdownSignal& shutdown) {
  CADRE_ASSIGN_OR_RETURN(
      const auto metrics,
      RunMetrics::Create(
          *run, options.metrics_port == 0 ? "" : absl::StrCat("127.0.0.1:", options.metrics_port)));
  run->set_listener([&](const Progress& progress) {
    metrics->Update(progress);
    display.Update(progress, MonotonicTime::Now());
  });
  CADRE_ASSIGN_OR_RETURN(const auto others, JoinRun(experiment, options));
  std::vector<Trainer*> trainers{&run->trainer()};
  for (const auto& other : others) trainers.push_back(&other->trainer());
  const auto begin = [&]() -> absl::Status {
    CADRE_RETURN_IF_ERROR(run->Begin());
    PrintBeginning(experiment, *run);
    return absl::OkStatus();
  };
  const absl::Status status =
      TrainEmbedded(experiment.config, trainers, run->folder(), from, begin, shutdown);
  display.Finish(MonotonicTime::Now());
  CADRE_RETURN_IF_ERROR(WithWayBack(run->Finish(status), run->folder()));
  std::printf("%s", FormatSummary(run->trainer(), run->folder()).c_str());
  PrintIfStopped(shutdown, run->folder());
  return absl::OkStatus();
}

}  // namespace

absl::Status Train(const TrainOptions& options, ShutdownSignal& shutdown) {
  const MonotonicTime start = MonotonicTime::Now();
  CADRE_RETURN_IF_ERROR(CheckOptions(options));
  const bool resuming = !options.resume.empty();
  const bool processes = options.mode == "processes";
  CADRE_ASSIGN_OR_RETURN(const Experiment experiment,
                         resuming
                             ? LoadRunExperiment(options.resume, options.overrides, options.seed)
                             : LoadExperiment(options.config, options.overrides, options.seed));
  CADRE_ASSIGN_OR_RETURN(DeviceOptions device,
                         OpenLearningDevice(options.device, options.cuda_graphs));
  // Where the learner is a process of its own, this one only makes its first checkpoint.
  if (processes) device = {};
  CADRE_ASSIGN_OR_RETURN(auto run, resuming ? TrainingRun::Resume(experiment, options.resume,
                                                                  device, options.checkpoint)
                                            : TrainingRun::Create(experiment, options.out, device));
  const ResumedCheckpoint from{.env_steps = run->trainer().env_steps(),
                               .replay_checkpoint = run->replay_checkpoint(),
                               .chosen = !options.checkpoint.empty()};
  LiveProgress display(GoalOf(experiment.config), LiveProgress::OptionsFor(stdout), stdout, start);
  return processes ? TrainInProcesses(experiment, options, std::move(run), from, display, shutdown)
                   : TrainHere(experiment, options, std::move(run), from, display, shutdown);
}

}  // namespace cadre
