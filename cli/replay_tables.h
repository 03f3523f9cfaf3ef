// Which replay table a run in several processes continues with. The replay server saves tables to
// <run folder>/replay by itself, now and then and when it ends, and starts from the newest; the
// learner saves checkpoints at other moments. A table belongs to a checkpoint
//
//   * if both were saved at the end of the same life of the run: the checkpoint's manifest
//     names the file; or
//   * if that life never ended well, so that nothing was named: the newest of each then are
//     as close as two savings. <run folder>/replay/open is there for as long as a life lasts.
//
// Any other table is of another time of the run, and is not used.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "replay_server/storage/table.h"

namespace cadre {

// What a run continues from.
struct ResumedCheckpoint {
  int64_t env_steps = 0;          // 0: it begins.
  std::string replay_checkpoint;  // As its manifest names it.
  bool chosen = false;            // By the user: it need not be what was saved last.
};

std::string ReplayFolder(const std::string& run_folder);

// Before the server starts: leaves the table that belongs to `from` as the newest one; or none,
// which it then logs, if there is none that the server, which hosts `table`, could start from.
// Opens a life of the run.
absl::Status PrepareTables(const std::string& run_folder, const ResumedCheckpoint& from,
                           const TableOptions& table);

// A life in one process continues the run, with a table of its own.
absl::Status AbandonTables(const std::string& run_folder);

// The number of the newest table; 0: there is none.
int64_t NewestTable(const std::string& run_folder);

// After the server ended, by when it had saved a last table, later than number `before`: that one
// belongs to the run's newest checkpoint. Closes the life.
absl::Status PairNewestTable(const std::string& run_folder, int64_t before);

}  // namespace cadre
