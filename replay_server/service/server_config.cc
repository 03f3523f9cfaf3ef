#include "replay_server/service/server_config.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/agreed_settings.h"
#include "common/config/config.h"
#include "common/config/error_list.h"
#include "common/config/field_validation.h"
#include "common/config/replay_capacity.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/config/text_format_reader.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "proto/config.pb.h"
#include "replay_server/storage/queue_config.h"

namespace cadre {
namespace {

struct Tables {
  ReplayServerConfig config;
  uint64_t seed = 1;
  // Of an experiment.
  std::optional<TableWriters> writers;
  std::vector<v1::AgreedSetting> agreed;
};

absl::StatusOr<Tables> LoadTables(const std::string& path) {
  CADRE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Tables tables;
  ErrorList errors;
  ReadTextFormat(text, path, &tables.config, &errors);
  CADRE_RETURN_IF_ERROR(errors.ToStatus());
  return tables;
}

// The replay section as it was written first, as its errors name the fields that a user
// knows.
absl::StatusOr<Tables> ExperimentTable(const ExperimentConfig& experiment, int shards) {
  ErrorList errors;
  CheckMessageFields(experiment.replay(), "replay", &errors);
  CheckMessageFields(experiment.actors(), "actors", &errors);
  if (shards < 1) errors.Add(absl::StrCat("shards: got ", shards, "; wanted at least 1"));
  CADRE_RETURN_IF_ERROR(errors.ToStatus());
  const ExperimentConfig resolved = ResolveConfig(experiment);
  const std::string too_small = CapacityStepsError(resolved, shards);
  if (!too_small.empty()) return absl::InvalidArgumentError(too_small);
  Tables tables;
  *tables.config.add_tables() = ReplayTable(resolved, shards);
  tables.writers = TableWritersOf(resolved, shards);
  tables.seed = experiment.seed();
  tables.agreed = LearnersAgreedSettings(resolved);
  return tables;
}

absl::StatusOr<std::string> StoragePath(const std::string& folder, const std::string& table) {
  if (folder.empty()) return std::string();
  if (absl::StrContains(table, '/'))
    return absl::InvalidArgumentError(
        absl::StrCat("table '", table, "': wanted a name without '/' to store rows in a file"));
  return absl::StrCat(folder, "/", table, ".rows");
}

absl::StatusOr<ServerConfig> HostTables(const Tables& tables, const std::string& run_id,
                                        const std::string& storage_folder) {
  CADRE_RETURN_IF_ERROR(ValidateReplayServerConfig(tables.config));
  ServerConfig server;
  for (const TableConfig& table : tables.config.tables()) {
    TableOptions options;
    options.config = table;
    options.writers = tables.writers;
    options.agreed = tables.agreed;
    options.run_id = run_id;
    CADRE_ASSIGN_OR_RETURN(options.storage_path, StoragePath(storage_folder, table.name()));
    options.seed = tables.seed;
    server.tables.push_back(std::move(options));
  }
  return server;
}

}  // namespace

absl::StatusOr<ServerConfig> LoadServerConfig(const ServerConfigFiles& files,
                                              const std::string& run_id,
                                              const std::string& storage_folder) {
  if (!files.tables.empty()) {
    CADRE_ASSIGN_OR_RETURN(const Tables tables, LoadTables(files.tables));
    return HostTables(tables, run_id, storage_folder);
  }
  ExperimentConfig experiment;
  if (!files.experiment.empty()) {
    CADRE_ASSIGN_OR_RETURN(experiment, LoadConfig(files.experiment, files.overrides));
  }
  if (UsesReplay(experiment)) {
    CADRE_ASSIGN_OR_RETURN(const Tables tables, ExperimentTable(experiment, files.shards));
    return HostTables(tables, run_id, storage_folder);
  }
  ServerConfig server;
  for (int32_t learner = 0; learner < LearnerCount(experiment); ++learner) {
    CADRE_ASSIGN_OR_RETURN(QueueOptions queue, MakeQueueOptions(experiment, run_id, learner));
    if (!files.experiment.empty()) queue.agreed = AgreedSettings(ResolveConfig(experiment));
    server.queues.push_back(std::move(queue));
  }
  return server;
}

}  // namespace cadre
