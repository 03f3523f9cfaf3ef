// A trainer and the folder that it reports to, made for a new run or from what an
// earlier one left. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/monotonic_time.h"
#include "learner/run_folder.h"
#include "learner/trainer.h"

namespace cadre {

class TrainingRun {
 public:
  // A new run in `out`, or in a folder of its own under runs/ where that is empty.
  static absl::StatusOr<std::unique_ptr<TrainingRun>> Create(const ExperimentConfig& config,
                                                             const EnvironmentSpec& environment,
                                                             const std::string& out,
                                                             const DeviceOptions& device = {});

  // Goes on from the newest intact checkpoint in `folder`, saying which ones are not.
  static absl::StatusOr<std::unique_ptr<TrainingRun>> Resume(const ExperimentConfig& config,
                                                             const EnvironmentSpec& environment,
                                                             const std::string& folder,
                                                             const DeviceOptions& device = {});

  // Learner `rank` of several, which writes nothing: the first owns the folder. Goes on from
  // the folder's newest checkpoint, where both are there.
  static absl::StatusOr<std::unique_ptr<TrainingRun>> Join(const ExperimentConfig& config,
                                                           const EnvironmentSpec& environment,
                                                           const std::string& folder, int32_t rank,
                                                           const DeviceOptions& device = {});

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

  absl::Status MakeTrainer(const ExperimentConfig& config, const EnvironmentSpec& environment,
                           const DeviceOptions& device, int32_t rank = 0);
  absl::Status OnProgress(const Progress& progress);
  absl::Status WriteProgress();

  const std::unique_ptr<RunFolder> folder_;  // Null for all but the first learner.
  const std::string path_;
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
