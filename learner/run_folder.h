// The folder of one run, as people and other tools see it:
//
//   config.textproto          the resolved config
//   progress.csv              one row for each report
//   events.out.tfevents.*     the same, for TensorBoard
//   summary.json              once the run ended
//   checkpoints/              see checkpoint.h
//   versions.learner-*        see version_record.h; of learners that are processes
//
// Not thread-safe: the training thread owns it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "learner/progress.h"
#include "learner/progress_csv.h"
#include "learner/tensorboard.h"
#include "proto/config.pb.h"

namespace cadre {

// What summary.json says, under these names. Values that are not finite become null.
struct Summary {
  std::string algorithm;
  std::string environment;
  uint64_t seed = 0;
  int64_t env_steps = 0;
  int64_t updates = 0;
  double wall_seconds = 0;
  double steps_per_second = 0;  // Over the whole run.
  double mean_return = 0;       // Of the last 100 training episodes.
  bool solved = false;
  int64_t max_version_lag = 0;

  struct Evaluation {
    double mean_return = 0;
    double std_return = 0;
    int64_t episodes = 0;
    int64_t env_steps = 0;  // Of its policy.
    // Of the best: on the episodes for which it was thought so. Its mean_return is of others.
    std::optional<double> first_mean_return;
  };
  // Of the best policy, and of the last that was evaluated. Left out where there was none.
  std::optional<Evaluation> evaluation, last_evaluation;
};

std::string SummaryJson(const Summary& summary);

class RunFolder {
 public:
  // For a new run: `out` where it is given, else the first free
  // `<runs>/<config.name>-seed<config.seed>-<n>`, n = 1, 2, ... ALREADY_EXISTS
  // where `out` holds a run. Other files in `out` are left alone.
  static absl::StatusOr<std::unique_ptr<RunFolder>> Create(const ExperimentConfig& config,
                                                           absl::string_view out,
                                                           absl::string_view runs = "runs");

  // Goes on with the run in `path` from the checkpoint at `env_steps`: later rows
  // of progress.csv are dropped and later events marked as void. The config on disk
  // is replaced by `config`. NOT_FOUND where there is no run.
  static absl::StatusOr<std::unique_ptr<RunFolder>> Resume(const ExperimentConfig& config,
                                                           absl::string_view path,
                                                           int64_t env_steps);

  // True where the folder has any of the files that a run writes.
  static bool HoldsRun(absl::string_view path);

  // Removes what Create and the run wrote to `path`; other files stay.
  static absl::Status Clear(absl::string_view path);

  // Appends a row to progress.csv and an event for TensorBoard.
  absl::Status Report(const Progress& progress, absl::Time now = absl::Now());

  // Writes summary.json, replacing one that is there.
  absl::Status WriteSummary(const Summary& summary);

  const std::string& path() const { return path_; }

 private:
  RunFolder(std::string path, std::unique_ptr<ProgressCsv> csv,
            std::unique_ptr<EventWriter> events);

  const std::string path_;
  const std::unique_ptr<ProgressCsv> csv_;
  const std::unique_ptr<EventWriter> events_;
};

// Its config.textproto, as Create wrote it.
std::string ConfigPath(absl::string_view run_folder);

}  // namespace cadre
