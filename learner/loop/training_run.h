// A trainer and the folder that it reports to, made for a new run or from what an
// earlier one left. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/process/monotonic_time.h"
#include "envs/experiment.h"
#include "learner/loop/trainer.h"
#include "learner/run_folder/run_folder.h"

namespace cadre {

class TrainingRun {
 public:
  // A new run in `out`, or in a folder of its own under runs/ where that is empty.
  // `replace_unsaved`: see RunFolder::Create.
  static absl::StatusOr<std::unique_ptr<TrainingRun>> Create(const Experiment& experiment,
                                                             const std::string& out,
                                                             const DeviceOptions& device = {},
                                                             bool replace_unsaved = false);

  // Continues from a checkpoint in `folder`: "last", "best", a number of steps; empty: the
  // newest that is intact, saying which ones are not.
  static absl::StatusOr<std::unique_ptr<TrainingRun>> Resume(const Experiment& experiment,
                                                             const std::string& folder,
                                                             const DeviceOptions& device = {},
                                                             const std::string& which = "");

  // Learner `rank` of several, which writes nothing: the first owns the folder. Continues from
  // the same checkpoint in `folder`, if both are there.
  static absl::StatusOr<std::unique_ptr<TrainingRun>> Join(const Experiment& experiment,
                                                           const std::string& folder, int32_t rank,
                                                           const DeviceOptions& device = {},
                                                           const std::string& which = "");

  // The first learner alone writes to the folder, and nothing before this: whatever can be
  // refused is checked first, so that a run that is refused leaves its folder as it was.
  // Then there is a checkpoint to resume from, whatever happens next, and it is the newest:
  // those after one that was chosen are superseded. Once, before training.
  absl::Status Begin();

  // See RunFolder::KeepForChildren.
  std::unique_ptr<RunLock> KeepForChildren() { return folder_->KeepForChildren(); }

  // What the checkpoint that it continues from names: see CheckpointManifest. Empty: none.
  const std::string& replay_checkpoint() const { return replay_checkpoint_; }

  Trainer& trainer() { return *trainer_; }
  const std::string& folder() const { return path_; }
  bool saves() const { return folder_ != nullptr; }  // The first learner alone does.
  const Progress& newest() const { return newest_; }

  // Told of every update, on the training thread.
  void set_listener(std::function<void(const Progress&)> listener) {
    listener_ = std::move(listener);
  }
  // Told of every checkpoint, likewise.
  void set_save_listener(std::function<void()> listener) { save_listener_ = std::move(listener); }

  // After training, which ended with `training`: writes what is left to write, and
  // the summary unless training failed. Returns the first error.
  absl::Status Finish(const absl::Status& training);

 private:
  TrainingRun(std::unique_ptr<RunFolder> folder, std::string path)
      : folder_(std::move(folder)), path_(std::move(path)) {}

  absl::Status MakeTrainer(const Experiment& experiment, const DeviceOptions& device,
                           int32_t rank = 0);
  absl::Status OnProgress(const Progress& progress);
  absl::Status WriteProgress();

  const std::unique_ptr<RunFolder> folder_;  // Null for all but the first learner.
  const std::string path_;
  ExperimentConfig given_;
  std::optional<int64_t> resumed_steps_;  // The steps of the checkpoint it continues from.
  std::string replay_checkpoint_;
  std::string chosen_;  // That checkpoint, if it need not be the newest.
  std::unique_ptr<Trainer> trainer_;
  std::function<void(const Progress&)> listener_;
  std::function<void()> save_listener_;
  Progress newest_;
  bool unwritten_ = false;  // `newest_` is not in the folder yet.
  MonotonicTime written_at_;
  int64_t written_steps_ = -1;
};

// Several lines for people: steps, speed, return, where the time went, where the
// results are.
std::string FormatSummary(const Trainer& trainer, const std::string& folder);

}  // namespace cadre
