#include "learner/training_run.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "learner/checkpoint.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// A run writes about so many rows, evenly over its steps, and none later than this
// after the one before.
constexpr int64_t kRows = 400;
constexpr absl::Duration kLongestSilence = absl::Seconds(10);

}  // namespace

absl::StatusOr<std::unique_ptr<TrainingRun>> TrainingRun::Create(const ExperimentConfig& config,
                                                                 const EnvironmentSpec& environment,
                                                                 const std::string& out,
                                                                 const DeviceOptions& device) {
  CADRE_ASSIGN_OR_RETURN(auto folder, RunFolder::Create(config, out));
  const std::string path = folder->path();
  std::unique_ptr<TrainingRun> run(new TrainingRun(std::move(folder), path));
  CADRE_RETURN_IF_ERROR(run->MakeTrainer(config, environment, device));
  return run;
}

absl::StatusOr<std::unique_ptr<TrainingRun>> TrainingRun::Resume(const ExperimentConfig& config,
                                                                 const EnvironmentSpec& environment,
                                                                 const std::string& folder,
                                                                 const DeviceOptions& device) {
  CADRE_ASSIGN_OR_RETURN(NewestCheckpoint newest, LoadNewestIntact(folder));
  for (const std::string& warning : newest.warnings) spdlog::warn("{}", warning);
  CADRE_ASSIGN_OR_RETURN(auto run_folder,
                         RunFolder::Resume(config, folder, newest.checkpoint.manifest.env_steps()));
  std::unique_ptr<TrainingRun> run(new TrainingRun(std::move(run_folder), folder));
  CADRE_RETURN_IF_ERROR(run->MakeTrainer(config, environment, device));
  CADRE_RETURN_IF_ERROR(run->trainer_->Restore(newest.checkpoint));
  spdlog::info("resuming from {}", newest.path);
  return run;
}

absl::StatusOr<std::unique_ptr<TrainingRun>> TrainingRun::Join(const ExperimentConfig& config,
                                                               const EnvironmentSpec& environment,
                                                               const std::string& folder,
                                                               int32_t rank,
                                                               const DeviceOptions& device) {
  std::unique_ptr<TrainingRun> run(new TrainingRun(nullptr, folder));
  CADRE_RETURN_IF_ERROR(run->MakeTrainer(config, environment, device, rank));
  if (folder.empty()) return run;
  const absl::StatusOr<NewestCheckpoint> newest = LoadNewestIntact(folder);
  if (absl::IsNotFound(newest.status())) return run;
  CADRE_RETURN_IF_ERROR(newest.status());
  CADRE_RETURN_IF_ERROR(run->trainer_->Restore(newest->checkpoint));
  return run;
}

absl::Status TrainingRun::MakeTrainer(const ExperimentConfig& config,
                                      const EnvironmentSpec& environment,
                                      const DeviceOptions& device, int32_t rank) {
  CADRE_ASSIGN_OR_RETURN(
      trainer_,
      Trainer::Create(
          {.config = config,
           .environment = environment,
           .run_folder = path_,
           .rank = rank,
           .device = device,
           .on_progress = [this](const Progress& progress) { return OnProgress(progress); },
           .on_saved =
               [this] {
                 if (save_listener_) save_listener_();
               }}));
  return absl::OkStatus();
}

absl::Status TrainingRun::OnProgress(const Progress& progress) {
  newest_ = progress;
  unwritten_ = true;
  if (listener_) listener_(progress);
  const int64_t interval = trainer_->config().stop().env_steps() / kRows;
  const bool due = written_steps_ < 0 || progress.env_steps - written_steps_ >= interval;
  return due || MonotonicTime::Now() - written_at_ >= kLongestSilence ? WriteProgress()
                                                                      : absl::OkStatus();
}

absl::Status TrainingRun::WriteProgress() {
  CADRE_RETURN_IF_ERROR(folder_->Report(newest_));
  unwritten_ = false;
  written_at_ = MonotonicTime::Now();
  written_steps_ = newest_.env_steps;
  return absl::OkStatus();
}

absl::Status TrainingRun::Finish(const absl::Status& training) {
  if (folder_ == nullptr) return training;
  absl::Status written = unwritten_ ? WriteProgress() : absl::OkStatus();
  CADRE_RETURN_IF_ERROR(training);
  CADRE_RETURN_IF_ERROR(written);
  return folder_->WriteSummary(trainer_->summary());
}

std::string FormatSummary(const Trainer& trainer, const std::string& folder) {
  const Summary summary = trainer.summary();
  std::string out = absl::StrFormat(
      "%s: %d steps, %d updates in %.1f s (%.0f steps/s); mean return %.1f over the last 100 "
      "episodes; largest version lag %d\n",
      summary.solved ? "solved" : "done", summary.env_steps, summary.updates, summary.wall_seconds,
      summary.steps_per_second, summary.mean_return, summary.max_version_lag);
  const double total = trainer.times().total_seconds();
  absl::StrAppend(&out, "learner's time:");
  for (const auto& [stage, name] : kLearnStageNames)
    absl::StrAppendFormat(&out, " %s %.1f %%", name, 100 * trainer.times().seconds(stage) / total);
  absl::StrAppendFormat(&out, "\nresults in %s\n", folder);
  return out;
}

}  // namespace cadre
