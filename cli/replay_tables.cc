#include "cli/replay_tables.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "learner/run_folder/checkpoint.h"
#include "replay_server/storage/table_checkpoint.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

constexpr char kReplay[] = "replay";
constexpr char kOpen[] = "open";

std::string OpenPath(const std::string& run_folder) {
  return absl::StrCat(ReplayFolder(run_folder), "/", kOpen);
}

// As manifests name it, relative to the run's folder.
std::string NameOf(const std::string& run_folder, int64_t number) {
  return TableCheckpointPath(ReplayFolder(run_folder), number).substr(run_folder.size() + 1);
}

bool Exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// Leaves the table of that name as the newest. False if it is not there.
absl::StatusOr<bool> KeepUpTo(const std::string& run_folder, const std::string& name) {
  const std::string folder = ReplayFolder(run_folder);
  CADRE_ASSIGN_OR_RETURN(const std::vector<int64_t> numbers, ListTableCheckpoints(folder));
  bool found = false;
  for (int64_t number : numbers) found = found || NameOf(run_folder, number) == name;
  if (!found) return false;
  bool later = false;
  for (int64_t number : numbers) {
    const std::string path = TableCheckpointPath(folder, number);
    if (later) CADRE_RETURN_IF_ERROR(RemoveTree(folder, path.substr(folder.size() + 1)));
    later = later || NameOf(run_folder, number) == name;
  }
  return true;
}

absl::StatusOr<bool> LeaveWhatBelongs(const std::string& run_folder,
                                      const ResumedCheckpoint& from) {
  if (!from.replay_checkpoint.empty()) return KeepUpTo(run_folder, from.replay_checkpoint);
  return !from.chosen && from.env_steps > 0 && Exists(OpenPath(run_folder)) &&
         NewestTable(run_folder) > 0;
}

}  // namespace

std::string ReplayFolder(const std::string& run_folder) {
  return absl::StrCat(run_folder, "/", kReplay);
}

absl::Status PrepareTables(const std::string& run_folder, const ResumedCheckpoint& from,
                           const TableOptions& options) {
  CADRE_ASSIGN_OR_RETURN(const bool belongs, LeaveWhatBelongs(run_folder, from));
  absl::Status usable = absl::NotFoundError(
      absl::StrCat("no replay table belongs to the checkpoint at ", from.env_steps, " steps"));
  if (belongs) {
    CADRE_ASSIGN_OR_RETURN(const auto table, Table::Create(options));
    usable = VerifyTables(TableCheckpointPath(ReplayFolder(run_folder), NewestTable(run_folder)),
                          {Checkpointed(*table)});
  }
  if (!usable.ok()) {
    if (from.env_steps > 0)
      spdlog::warn("beginning with an empty table, which warms up again: {}",
                   std::string(usable.message()));
    // Numbers begin anew, and no checkpoint may take a new table for its own.
    CADRE_RETURN_IF_ERROR(ForgetReplayCheckpoints(run_folder, absl::StrCat(kReplay, "/")));
    CADRE_RETURN_IF_ERROR(RemoveTree(run_folder, kReplay));
  }
  CADRE_RETURN_IF_ERROR(MakeDirectories(ReplayFolder(run_folder)));
  return WriteFileAtomically(OpenPath(run_folder), "");
}

absl::Status AbandonTables(const std::string& run_folder) {
  return Exists(OpenPath(run_folder)) ? RemoveTree(ReplayFolder(run_folder), kOpen)
                                      : absl::OkStatus();
}

int64_t NewestTable(const std::string& run_folder) {
  const auto numbers = ListTableCheckpoints(ReplayFolder(run_folder));
  return !numbers.ok() || numbers->empty() ? 0 : numbers->back();
}

absl::Status PairNewestTable(const std::string& run_folder, int64_t before) {
  const int64_t newest = NewestTable(run_folder);
  const std::vector<int64_t> checkpoints = ListCheckpoints(run_folder);
  if (newest <= before || checkpoints.empty()) {
    spdlog::warn("the replay server saved no last table");
    return absl::OkStatus();
  }
  CADRE_RETURN_IF_ERROR(
      SetReplayCheckpoint(run_folder, checkpoints.back(), NameOf(run_folder, newest)));
  return AbandonTables(run_folder);
}

}  // namespace cadre
