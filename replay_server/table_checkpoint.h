// Checkpoints of all tables of a server, on disk:
//
//   <folder>/replay-<number>.checkpoint    checkpoint_file.h; the highest number is the newest
//
// A checkpoint is written beside its place, synced and renamed, so that one either is
// there as a whole or is not there; what was saved before survives any failure, a full
// disk among them. Every byte is covered by a checksum. Files that are not called so are
// never touched. Tables stream to and from the file in pieces.
//
// Not thread-safe for one folder: one thread of one process writes to it, see
// table_checkpointer.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "replay_server/table.h"

namespace cadre {

// What a checkpoint knows of a table: `save` writes it in pieces of any size, `restore`
// reads as many bytes (each read fills all of its argument). See Table::Save, Restore.
struct CheckpointedTable {
  using Write = std::function<absl::Status(absl::Span<const std::byte> bytes)>;
  using Read = std::function<absl::Status(absl::Span<std::byte> bytes)>;

  std::string name;  // Unique.
  std::function<absl::Status(const Write& write)> save;
  std::function<absl::Status(const Read& read)> restore;
};

struct SavedCheckpoint {
  std::string path;
  int64_t bytes = 0;
};

// `table`, which must outlive it, under the name in its config.
inline CheckpointedTable Checkpointed(Table& table) {
  return {table.options().config.name(),
          [&table](const CheckpointedTable::Write& write) { return table.Save(write); },
          [&table](const CheckpointedTable::Read& read) { return table.Restore(read); }};
}

// Saves all `tables` under the next number, and then removes older checkpoints so that
// `keep` (>= 1) are left, this one among them. Makes the folder where it is not there.
// After an error nothing that was saved before is lost, and nothing half-written is left.
absl::StatusOr<SavedCheckpoint> SaveTables(const std::string& folder,
                                           absl::Span<const CheckpointedTable> tables, int keep);

struct RestoredCheckpoint {
  std::string path;
  std::vector<std::string> warnings;  // One line for each newer one that is damaged.
};

// Restores all `tables`, which are empty, from the newest checkpoint that is intact; it is
// read through before the first table is touched.
//   NOT_FOUND            there are no checkpoints
//   DATA_LOSS            all are damaged, or a table could make no sense of its bytes
//   FAILED_PRECONDITION  the newest intact one is of other tables, or of the same with
//                        another config
// or the file system's. After an error other than NOT_FOUND the tables may be half restored: use
// them no more.
absl::StatusOr<RestoredCheckpoint> RestoreTables(const std::string& folder,
                                                 absl::Span<const CheckpointedTable> tables);

// Numbers of the checkpoints in a folder, ascending; empty where there are none, or no
// folder.
absl::StatusOr<std::vector<int64_t>> ListTableCheckpoints(const std::string& folder);
std::string TableCheckpointPath(const std::string& folder, int64_t number);

}  // namespace cadre
