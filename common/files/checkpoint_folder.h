// A folder of checkpoints of one kind:
//
//   <folder>/<prefix>-<number>.checkpoint    checkpoint_file.h; the highest number is the newest
//
// A checkpoint is written beside its place, synced and renamed, so that one either is
// there as a whole or is not there; what was saved before survives any failure, a full
// disk among them. Files that are not called so are never touched.
//
// Not thread-safe for one folder: one thread of one process writes to it, see
// checkpointer.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/files/checkpoint_file.h"

namespace cadre {

struct SavedCheckpoint {
  std::string path;
  int64_t bytes = 0;
};

class CheckpointFolder {
 public:
  // `magic`: of its files, see checkpoint_file.h. `prefix`: "replay", "parameters".
  CheckpointFolder(std::string folder, std::string prefix, absl::string_view magic);

  // Numbers of the checkpoints, ascending; empty where there are none, or no folder.
  absl::StatusOr<std::vector<int64_t>> Numbers() const;
  std::string Path(int64_t number) const;

  // Saves what `write` gives under the next number, and then removes older checkpoints so
  // that `keep` (>= 1) are left, this one among them. Makes the folder where it is not
  // there. After an error nothing that was saved before is lost, and nothing half-written
  // is left.
  absl::StatusOr<SavedCheckpoint> Save(
      absl::FunctionRef<absl::Status(CheckpointFileWriter& writer)> write, int keep) const;

  // Removes them all.
  absl::Status RemoveAll() const { return RemoveOlder(0); }

  struct Found {
    std::string path;
    std::vector<std::string> warnings;  // One line for each newer one that was passed over.
  };
  // The newest one that `verify`, which reads it through, says is OK. Those of which it
  // says DATA_LOSS (damaged) or FAILED_PRECONDITION (of something else) are passed over,
  // any other error is returned. NOT_FOUND: there are none. FAILED_PRECONDITION: those that
  // are intact are of something else. DATA_LOSS: none is intact.
  absl::StatusOr<Found> Newest(
      absl::FunctionRef<absl::Status(const std::string& path)> verify) const;

 private:
  std::string NameOf(int64_t number) const;
  bool IsName(absl::string_view name, int64_t* number) const;
  absl::StatusOr<int64_t> NextNumber() const;
  absl::Status RemoveHalfWritten() const;
  absl::Status RemoveOlder(int keep) const;

  const std::string folder_;
  const std::string prefix_;
  const absl::string_view magic_;
};

}  // namespace cadre
