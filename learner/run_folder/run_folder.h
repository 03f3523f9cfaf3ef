// The folder of one run, as people and other tools see it:
//
//   config.textproto          the config as it was given; see run_config.h
//   resolved.textproto        the same with all defaults and derived values
//   progress.csv              one row for each report
//   events.out.tfevents.*     the same, for TensorBoard
//   summary.json              once the run ended
//   checkpoints/              see checkpoint.h
//   versions.learner-*        see version_record.h; of learners that are processes
//   run.lock, writer.lock     while it runs: who writes here; see run_lock.h
//
// Not thread-safe: the training thread owns it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "learner/run_folder/progress.h"
#include "learner/run_folder/progress_csv.h"
#include "learner/run_folder/run_lock.h"
#include "learner/run_folder/tensorboard.h"
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
    // For the best policy: on the episodes that made it a candidate. mean_return is on others.
    std::optional<double> first_mean_return;
  };
  // The best policy, and the last one that was evaluated. Left out if there was none.
  std::optional<Evaluation> evaluation, last_evaluation;
};

std::string SummaryJson(const Summary& summary);

class RunFolder {
 public:
  // For a new run: `out` if it is given, else the first free
  // `<runs>/<config.name>-seed<config.seed>-<n>`, n = 1, 2, ... ALREADY_EXISTS
  // if `out` holds a run; with `replace_unsaved` only if that has a checkpoint, otherwise
  // Begin() removes what it left. Other files in `out` are left alone. The folder is empty
  // until Begin(), and is removed with this object if that never comes.
  static absl::StatusOr<std::unique_ptr<RunFolder>> Create(const ExperimentConfig& config,
                                                           absl::string_view out,
                                                           absl::string_view runs = "runs",
                                                           bool replace_unsaved = false);

  // Continues the run in `path`, whose files stay as they are until Begin(). NOT_FOUND
  // if there is no run, DATA_LOSS if progress.csv is no file of ours.
  static absl::StatusOr<std::unique_ptr<RunFolder>> Resume(absl::string_view path);

  // Both lock the folder until this object goes: FAILED_PRECONDITION, saying who has it, if
  // another process does. A learner may share it with the supervisor that started it.
  ~RunFolder();

  // Keeps other commands out while the learners that this process starts write to the
  // folder, which they lock as well. After Begin(); this object must go before they start.
  std::unique_ptr<RunLock> KeepForChildren() { return std::move(run_lock_); }

  // Everything that could refuse the run has been checked: writes the config and opens
  // the files for reports. For a resumed run `env_steps` is that of the checkpoint it
  // continues from: later rows of progress.csv are dropped, later events marked as void.
  // Once, before Report.
  absl::Status Begin(const ExperimentConfig& given, const ExperimentConfig& resolved,
                     std::optional<int64_t> env_steps = {});

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
  RunFolder(std::string path, bool made) : path_(std::move(path)), made_(made) {}

  absl::Status Lock();

  const std::string path_;
  const bool made_;  // The folder was not there before.
  bool replaces_ = false;
  bool begun_ = false;
  // The lock of the command that runs it, null if our parent holds it; and the writer's lock.
  std::unique_ptr<RunLock> run_lock_, writer_lock_;
  std::unique_ptr<ProgressCsv> csv_;  // Null before Begin().
  std::unique_ptr<EventWriter> events_;
};

// The command that resumes the run, for a shell; from its newest checkpoint, or from `which`, as
// FindCheckpoint names it.
std::string ResumeCommand(absl::string_view run_folder, absl::string_view which = "");

// Its config.textproto and resolved.textproto, as Begin wrote them.
std::string ConfigPath(absl::string_view run_folder);
std::string ResolvedConfigPath(absl::string_view run_folder);

}  // namespace cadre
