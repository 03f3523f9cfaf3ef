// Checkpoints of all tables of a server, on disk:
//
//   <folder>/replay-<number>.checkpoint
//
// with what common/files/checkpoint_folder.h says of them, and each table a part. Every byte is
// covered by a checksum. Tables stream to and from the file in pieces.
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
#include "common/files/checkpoint_folder.h"
#include "replay_server/storage/table.h"

namespace cadre {

// What a checkpoint knows of a table: `save` writes it in pieces of any size, `restore`
// reads as many bytes (each read fills all of its argument). See Table::Save, Restore.
struct CheckpointedTable {
  using Write = std::function<absl::Status(absl::Span<const std::byte> bytes)>;
  using Read = std::function<absl::Status(absl::Span<std::byte> bytes)>;

  std::string name;  // Unique.
  std::function<absl::Status(const Write& write)> save;
  std::function<absl::Status(const Read& read)> restore;
  // Whether `restore` would take it, by what it begins with. None: it is not asked.
  std::function<absl::Status(const Read& read)> check = nullptr;
};

// `table`, which must outlive it, under the name in its config.
inline CheckpointedTable Checkpointed(Table& table) {
  return {table.options().config.name(),
          [&table](const CheckpointedTable::Write& write) { return table.Save(write); },
          [&table](const CheckpointedTable::Read& read) { return table.Restore(read); },
          [&table](const CheckpointedTable::Read& read) { return table.CheckSaved(read); }};
}

// Saves all `tables` under the next number, and then removes older checkpoints so that
// `keep` (>= 1) are left, this one among them. Makes the folder where it is not there.
// After an error nothing that was saved before is lost, and nothing half-written is left.
absl::StatusOr<SavedCheckpoint> SaveTables(const std::string& folder,
                                           absl::Span<const CheckpointedTable> tables, int keep);

struct RestoredCheckpoint {
  std::string path;
  // One line for each newer one that is damaged, or of other tables.
  std::vector<std::string> warnings;
};

// Restores all `tables`, which are empty, from the newest checkpoint that is intact and
// theirs; it is read through before the first table is touched.
//   NOT_FOUND            there are no checkpoints
//   DATA_LOSS            all are damaged, or a table could make no sense of its bytes
//   FAILED_PRECONDITION  those that are intact are of other tables, or of the same with
//                        another config
// or the file system's. After an error other than NOT_FOUND the tables may be half restored: use
// them no more.
absl::StatusOr<RestoredCheckpoint> RestoreTables(const std::string& folder,
                                                 absl::Span<const CheckpointedTable> tables);

// Restores all `tables`, which are empty, from the checkpoint at `path`. Errors as above;
// NOT_FOUND, before a table is touched: it is not there.
absl::Status RestoreTablesFrom(const std::string& path, absl::Span<const CheckpointedTable> tables);

// Whether that could be: reads the checkpoint through and touches no table.
absl::Status VerifyTables(const std::string& path, absl::Span<const CheckpointedTable> tables);

// Numbers of the checkpoints in a folder, ascending; empty where there are none, or no
// folder.
absl::StatusOr<std::vector<int64_t>> ListTableCheckpoints(const std::string& folder);
std::string TableCheckpointPath(const std::string& folder, int64_t number);

}  // namespace cadre
