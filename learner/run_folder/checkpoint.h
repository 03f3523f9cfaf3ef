// Checkpoints of a run, on disk:
//
//   <run folder>/checkpoints/<env_steps>/manifest.textproto      CheckpointManifest
//                                        parameters.safetensors  weights, by layer
//                                        state.safetensors       all else
//   <run folder>/checkpoints/best/                               a copy of one of them
//   <run folder>/superseded/<n>/                                 see SupersedeAfter
//
// A checkpoint is written beside its place as `<env_steps>.writing`, flushed to the
// disk and renamed, so that one either is there as a whole or is not there; what
// was saved before survives any failure. Every byte is covered by a checksum.
// Files that are not ours are never touched.
//
// Not thread-safe for one run folder: one thread of one process writes to it.
// Readers may come at any time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "learner/run_folder/safetensors.h"
#include "proto/config.pb.h"

namespace cadre {

struct Checkpoint {
  CheckpointManifest manifest;  // `files` is filled in by SaveCheckpoint.
  TensorMap parameters;         // By layer: "policy.0.weight" float32 [64, 4], ...
  TensorMap state;              // Optimiser, normaliser, random numbers, counters, ...
};

// Saves under manifest.env_steps(), in the place of one that is there, and then
// removes older ones so that `keep` (>= 1) are left, this one among them. Those
// with more steps, of which a run that was resumed from an earlier one has some,
// neither count nor go. After an error nothing that was saved before is lost.
absl::Status SaveCheckpoint(absl::string_view run_folder, const Checkpoint& checkpoint, int keep);

// Makes checkpoints/best a copy of checkpoint `env_steps`, which is verified on
// the way. The former best is replaced in one step.
absl::Status MarkBest(absl::string_view run_folder, int64_t env_steps);

// Reads and verifies one. `path` is its own folder, as FindCheckpoint returns it.
// DATA_LOSS where anything is damaged or missing.
absl::StatusOr<Checkpoint> LoadCheckpoint(absl::string_view path);

struct NewestCheckpoint {
  Checkpoint checkpoint;
  std::string path;
  std::vector<std::string> warnings;  // One line for each newer one that is damaged.
};

// The newest that is intact; `best` only where no other is. NOT_FOUND where there
// are none, DATA_LOSS where all are damaged.
absl::StatusOr<NewestCheckpoint> LoadNewestIntact(absl::string_view run_folder);

// The folder of "last", "best", or the one of that many env_steps. NOT_FOUND lists
// those that there are.
absl::StatusOr<std::string> FindCheckpoint(absl::string_view run_folder, absl::string_view which);

// Makes `path`, as FindCheckpoint returns it, the newest checkpoint of its run: later ones go to
// <run folder>/superseded/<n>/, n = 1, 2, ..., and so does `best` if it is of a later one. A
// checkpoint that `best` alone has gets a copy under its steps. Nobody else may write.
absl::Status SupersedeAfter(absl::string_view run_folder, const std::string& path);

// Whether `best` is there, and not of a later checkpoint than the one at `env_steps`.
bool HasBestUpTo(absl::string_view run_folder, int64_t env_steps);

// The newest one of fewer than `env_steps` steps, as FindCheckpoint names it; empty: there is none.
std::string NewestBefore(absl::string_view run_folder, int64_t env_steps);

// Notes in the manifest of the checkpoint at `env_steps`, and of `best` if that is a copy of it,
// that `replay_checkpoint`, relative to the run's folder, was saved together with it. Nobody else
// may write.
absl::Status SetReplayCheckpoint(absl::string_view run_folder, int64_t env_steps,
                                 const std::string& replay_checkpoint);

// Removes those notes whose value begins with `prefix` from all checkpoints of the run.
absl::Status ForgetReplayCheckpoints(absl::string_view run_folder, absl::string_view prefix);

// Steps of the checkpoints in a run folder, ascending; empty where there are none.
std::vector<int64_t> ListCheckpoints(absl::string_view run_folder);

}  // namespace cadre
