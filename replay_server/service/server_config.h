// What a replay server hosts, from the files that its flags name.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "replay_server/storage/queue.h"
#include "replay_server/storage/table.h"

namespace cadre {

// At most one of the two files; without any, a queue with the defaults.
struct ServerConfigFiles {
  // Of an experiment: the queue or the table of its algorithm.
  std::string experiment;
  std::vector<std::string> overrides;  // Of the experiment: "path=value".
  int shards = 1;                      // Servers that share the experiment's table.
  // A ReplayServerConfig: tables for whoever comes.
  std::string tables;
};

struct ServerConfig {
  std::vector<QueueOptions> queues;
  std::vector<TableOptions> tables;
};

// `run_id`: as in QueueOptions and TableOptions. `storage_folder`: where tables map their
// rows from, <name>.rows each; empty: memory. INVALID_ARGUMENT with everything that is
// wrong in a file; else what reading it gives.
absl::StatusOr<ServerConfig> LoadServerConfig(const ServerConfigFiles& files,
                                              const std::string& run_id,
                                              const std::string& storage_folder);

}  // namespace cadre
