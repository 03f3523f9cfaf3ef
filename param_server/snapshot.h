// Snapshots of a parameter server on disk, in a folder as common/files/checkpoint_folder.h says:
// parameters-<number>.checkpoint, with a part 'run' and a part for each model.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/checkpoint_folder.h"
#include "param_server/parameter_store.h"

namespace cadre {

// Saves all of `store`, each model at one moment, without keeping anybody waiting for the
// disk. `keep` >= 1 snapshots are left.
absl::StatusOr<SavedCheckpoint> SaveSnapshot(const std::string& folder, const ParameterStore& store,
                                             int keep);

struct RestoredSnapshot {
  std::string path;
  std::vector<std::string> warnings;  // One line for each newer one that was passed over.
};

// Restores the newest that is intact and of the store's run into `store`, which nobody uses
// yet. NOT_FOUND: there are none. DATA_LOSS: none is intact. FAILED_PRECONDITION: those that
// are intact are of another run.
absl::StatusOr<RestoredSnapshot> RestoreSnapshot(const std::string& folder, ParameterStore* store);

// Removes all snapshots, and nothing else, from the folder.
absl::Status RemoveSnapshots(const std::string& folder);

}  // namespace cadre
