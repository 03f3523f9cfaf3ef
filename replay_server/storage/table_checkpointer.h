// Saves a server's tables now and then: common/files/checkpointer.h over table_checkpoint.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/files/checkpointer.h"
#include "replay_server/storage/table_checkpoint.h"

namespace cadre {

struct TableCheckpointerOptions {
  std::string folder;
  int keep = 2;
  // From the end of one checkpoint to the next. Infinite: only on request.
  absl::Duration period = absl::InfiniteDuration();
};

class TableCheckpointer final : public Checkpointer {
 public:
  TableCheckpointer(const TableCheckpointerOptions& options, std::vector<CheckpointedTable> tables,
                    Listener listener)
      : Checkpointer(
            [options, tables = std::move(tables)] {
              return SaveTables(options.folder, tables, options.keep);
            },
            options.period, std::move(listener)) {}
};

}  // namespace cadre
