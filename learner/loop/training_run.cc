#include "learner/loop/training_run.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "learner/run_config.h"
#include "learner/run_folder/checkpoint.h"
#include "learner/weight_meaning.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// A run writes about so many rows, evenly over its steps, and none later than this
// after the one before.
constexpr int64_t kRows = 400;
constexpr absl::Duration kLongestSilence = absl::Seconds(10);

// A checkpoint to continue from, with its meaning: one of an older version has none, and means
// what the run's config says as it stands in the folder.
absl::StatusOr<NewestCheckpoint> Find(const std::string& folder, const std::string& which) {
  NewestCheckpoint found;
  if (which.empty()) {
    CADRE_ASSIGN_OR_RETURN(found, LoadNewestIntact(folder));
  } else {
    CADRE_ASSIGN_OR_RETURN(found.path, FindCheckpoint(folder, which));
    CADRE_ASSIGN_OR_RETURN(found.checkpoint, LoadCheckpoint(found.path));
  }
  CheckpointManifest& manifest = found.checkpoint.manifest;
  if (!manifest.meanings().empty()) return found;
  const absl::StatusOr<Experiment> before = LoadRunForActing(folder);
  if (!before.ok()) return found;
  for (const auto& meaning : WeightMeaning(before->config, before->environment))
    *manifest.add_meanings() = meaning;
  return found;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrainingRun>> TrainingRun::Create(const Experiment& experiment,
                                                                 const std::string& out,
                                                                 const DeviceOptions& device,
                                                                 bool replace_unsaved) {
  CADRE_ASSIGN_OR_RETURN(auto folder,
                         RunFolder::Create(experiment.config, out, "runs", replace_unsaved));
  const std::string path = folder->path();
  std::unique_ptr<TrainingRun> run(new TrainingRun(std::move(folder), path));
  CADRE_RETURN_IF_ERROR(run->MakeTrainer(experiment, device));
  return run;
}

absl::StatusOr<std::unique_ptr<TrainingRun>> TrainingRun::Resume(const Experiment& experiment,
                                                                 const std::string& folder,
                                                                 const DeviceOptions& device,
                                                                 const std::string& which) {
  CADRE_ASSIGN_OR_RETURN(auto run_folder, RunFolder::Resume(folder));
  CADRE_ASSIGN_OR_RETURN(const NewestCheckpoint from, Find(folder, which));
  for (const std::string& warning : from.warnings) spdlog::warn("{}", warning);
  std::unique_ptr<TrainingRun> run(new TrainingRun(std::move(run_folder), folder));
  const int64_t env_steps = from.checkpoint.manifest.env_steps();
  run->resumed_steps_ = env_steps;
  run->replay_checkpoint_ = from.checkpoint.manifest.replay_checkpoint();
  if (!which.empty()) run->chosen_ = from.path;
  CADRE_RETURN_IF_ERROR(run->MakeTrainer(experiment, device));
  CADRE_RETURN_IF_ERROR(run->trainer_->Restore(from.checkpoint));
  if (!HasBestUpTo(folder, env_steps)) run->trainer_->ForgetBest();
  spdlog::info("resuming from {}", from.path);
  return run;
}

absl::StatusOr<std::unique_ptr<TrainingRun>> TrainingRun::Join(const Experiment& experiment,
                                                               const std::string& folder,
                                                               int32_t rank,
                                                               const DeviceOptions& device,
                                                               const std::string& which) {
  std::unique_ptr<TrainingRun> run(new TrainingRun(nullptr, folder));
  CADRE_RETURN_IF_ERROR(run->MakeTrainer(experiment, device, rank));
  if (folder.empty()) return run;
  const absl::StatusOr<NewestCheckpoint> from = Find(folder, which);
  if (absl::IsNotFound(from.status())) return run;
  CADRE_RETURN_IF_ERROR(from.status());
  CADRE_RETURN_IF_ERROR(run->trainer_->Restore(from->checkpoint));
  return run;
}

absl::Status TrainingRun::MakeTrainer(const Experiment& experiment, const DeviceOptions& device,
                                      int32_t rank) {
  given_ = experiment.given;
  CADRE_ASSIGN_OR_RETURN(
      trainer_,
      Trainer::Create(
          {.config = experiment.config,
           .environment = experiment.environment,
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

absl::Status TrainingRun::Begin() {
  if (folder_ == nullptr) return absl::OkStatus();
  if (!chosen_.empty()) CADRE_RETURN_IF_ERROR(SupersedeAfter(path_, chosen_));
  CADRE_RETURN_IF_ERROR(folder_->Begin(given_, trainer_->config(), resumed_steps_));
  return trainer_->SaveIfUnsaved();
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
