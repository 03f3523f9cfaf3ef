#include "learner/run_folder/non_finite_updates.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr char kColumns[] = "unix_seconds,env_steps\n";

std::string PathIn(const std::string& run_folder) {
  return absl::StrCat(run_folder, "/non_finite_updates.csv");
}

// Empty where there is no file yet.
absl::StatusOr<std::string> Contents(const std::string& run_folder) {
  absl::StatusOr<std::string> contents = ReadFile(PathIn(run_folder));
  if (absl::IsNotFound(contents.status())) return std::string();
  return contents;
}

}  // namespace

absl::Status RecordNonFiniteUpdate(const std::string& run_folder, int64_t env_steps,
                                   absl::Time when) {
  CADRE_ASSIGN_OR_RETURN(std::string contents, Contents(run_folder));
  if (contents.empty()) contents = kColumns;
  absl::StrAppendFormat(&contents, "%.3f,%d\n", absl::ToDoubleSeconds(when - absl::UnixEpoch()),
                        env_steps);
  return WriteFileAtomically(PathIn(run_folder), contents);
}

absl::StatusOr<NonFiniteUpdates> ReadNonFiniteUpdates(const std::string& run_folder) {
  CADRE_ASSIGN_OR_RETURN(const std::string contents, Contents(run_folder));
  NonFiniteUpdates updates;
  const std::vector<std::string> rows = absl::StrSplit(contents, '\n', absl::SkipEmpty());
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::pair<std::string, std::string> row =
        absl::StrSplit(rows[i], absl::MaxSplits(',', 1));
    double seconds = 0;
    if (!absl::SimpleAtod(row.first, &seconds) || row.second.empty())
      return absl::DataLossError(absl::StrCat("'", PathIn(run_folder), "': row ", i, " is '",
                                              rows[i], "'; wanted unix_seconds,env_steps"));
    ++updates.count;
    updates.last = absl::UnixEpoch() + absl::Seconds(seconds);
  }
  return updates;
}

}  // namespace cadre
