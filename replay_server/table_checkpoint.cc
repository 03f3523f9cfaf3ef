#include "replay_server/table_checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/check.h"
#include "common/file_io.h"
#include "common/status_macros.h"
#include "replay_server/checkpoint_file.h"

namespace cadre {
namespace {

constexpr char kPrefix[] = "replay-";
constexpr char kSuffix[] = ".checkpoint";
constexpr int64_t kMostNumber = 1'000'000'000'000'000'000;  // Leaves room for the next ones.

std::string NameOf(int64_t number) { return absl::StrCat(kPrefix, number, kSuffix); }

// 12 for "replay-12.checkpoint"; none for "replay-012.checkpoint", "replay-12.checkpoint~", ...
std::optional<int64_t> NumberOf(absl::string_view name) {
  absl::string_view digits = name;
  int64_t number;
  if (!absl::ConsumePrefix(&digits, kPrefix) || !absl::ConsumeSuffix(&digits, kSuffix) ||
      !absl::SimpleAtoi(digits, &number) || number < 0 || number > kMostNumber ||
      NameOf(number) != name)
    return {};
  return number;
}

// One above all that have a number, whatever they are.
absl::StatusOr<int64_t> NextNumber(const std::string& folder) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder));
  int64_t next = 1;
  for (const std::string& name : names)
    if (const std::optional<int64_t> number = NumberOf(name)) next = std::max(next, *number + 1);
  return next;
}

// What a crash left.
absl::Status RemoveHalfWritten(const std::string& folder) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder));
  for (const std::string& name : names) {
    absl::string_view base = name;
    if (absl::ConsumeSuffix(&base, kWritingSuffix) && NumberOf(base))
      CADRE_RETURN_IF_ERROR(RemoveTree(folder, name));
  }
  return absl::OkStatus();
}

absl::Status RemoveOlder(const std::string& folder, int keep) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<int64_t> numbers, ListTableCheckpoints(folder));
  for (size_t i = 0; i + static_cast<size_t>(keep) < numbers.size(); ++i)
    CADRE_RETURN_IF_ERROR(RemoveTree(folder, NameOf(numbers[i])));
  return absl::OkStatus();
}

std::vector<std::string> NamesOf(absl::Span<const CheckpointedTable> tables) {
  std::vector<std::string> names;
  for (const CheckpointedTable& table : tables) names.push_back(table.name);
  return names;
}

// Reads all of a checkpoint, and returns the names of its tables. DATA_LOSS where it is
// damaged anywhere.
absl::StatusOr<std::vector<std::string>> Verify(const std::string& path) {
  CheckpointFileReader reader(path);
  CADRE_RETURN_IF_ERROR(reader.Open());
  std::vector<std::string> names;
  while (true) {
    std::string name;
    CADRE_ASSIGN_OR_RETURN(const bool there, reader.NextPart(&name));
    if (!there) return names;
    names.push_back(name);
    CADRE_RETURN_IF_ERROR(reader.SkipPart().status());
  }
}

absl::Status CheckSameTables(const std::string& path, std::vector<std::string> saved,
                             std::vector<std::string> wanted) {
  std::sort(saved.begin(), saved.end());
  std::sort(wanted.begin(), wanted.end());
  if (saved == wanted) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("checkpoint '", path, "' is of other tables: got ", absl::StrJoin(saved, ", "),
                   "; wanted ", absl::StrJoin(wanted, ", ")));
}

absl::Status RestoreOne(CheckpointFileReader& reader, const CheckpointedTable& table) {
  CADRE_RETURN_IF_ERROR(
      table.restore([&reader](absl::Span<std::byte> bytes) { return reader.Read(bytes); }));
  CADRE_ASSIGN_OR_RETURN(const int64_t left, reader.SkipPart());
  if (left == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(left, " bytes are left that it did not want"));
}

absl::Status RestoreAll(const std::string& path, absl::Span<const CheckpointedTable> tables) {
  CheckpointFileReader reader(path);
  CADRE_RETURN_IF_ERROR(reader.Open());
  while (true) {
    std::string name;
    CADRE_ASSIGN_OR_RETURN(const bool there, reader.NextPart(&name));
    if (!there) return absl::OkStatus();
    const auto table = std::find_if(tables.begin(), tables.end(),
                                    [&](const CheckpointedTable& t) { return t.name == name; });
    if (table == tables.end())
      return absl::DataLossError(absl::StrCat("'", path, "' changed while it was read"));
    if (absl::Status status = RestoreOne(reader, *table); !status.ok())
      return absl::Status(status.code(), absl::StrCat("checkpoint '", path, "', table '", name,
                                                      "': ", status.message()));
  }
}

}  // namespace

absl::StatusOr<SavedCheckpoint> SaveTables(const std::string& folder,
                                           absl::Span<const CheckpointedTable> tables, int keep) {
  CADRE_CHECK(keep >= 1);
  CADRE_RETURN_IF_ERROR(MakeDirectories(folder));
  CADRE_RETURN_IF_ERROR(RemoveHalfWritten(folder));
  CADRE_ASSIGN_OR_RETURN(const int64_t number, NextNumber(folder));
  const std::string path = TableCheckpointPath(folder, number);
  CheckpointFileWriter writer(path);
  CADRE_RETURN_IF_ERROR(writer.Open());
  for (const CheckpointedTable& table : tables) {
    CADRE_RETURN_IF_ERROR(writer.BeginPart(table.name));
    CADRE_RETURN_IF_ERROR(
        table.save([&writer](absl::Span<const std::byte> bytes) { return writer.Append(bytes); }));
  }
  CADRE_RETURN_IF_ERROR(writer.Commit());
  CADRE_RETURN_IF_ERROR(RemoveOlder(folder, keep));
  return SavedCheckpoint{path, writer.bytes()};
}

absl::StatusOr<RestoredCheckpoint> RestoreTables(const std::string& folder,
                                                 absl::Span<const CheckpointedTable> tables) {
  CADRE_ASSIGN_OR_RETURN(std::vector<int64_t> numbers, ListTableCheckpoints(folder));
  if (numbers.empty())
    return absl::NotFoundError(absl::StrCat("folder '", folder, "' has no replay checkpoints"));
  std::reverse(numbers.begin(), numbers.end());
  RestoredCheckpoint restored;
  for (const int64_t number : numbers) {
    restored.path = TableCheckpointPath(folder, number);
    const absl::StatusOr<std::vector<std::string>> names = Verify(restored.path);
    if (absl::IsDataLoss(names.status())) {
      restored.warnings.emplace_back(names.status().message());
      continue;
    }
    CADRE_RETURN_IF_ERROR(names.status());
    CADRE_RETURN_IF_ERROR(CheckSameTables(restored.path, *names, NamesOf(tables)));
    CADRE_RETURN_IF_ERROR(RestoreAll(restored.path, tables));
    return restored;
  }
  return absl::DataLossError(absl::StrCat("folder '", folder, "' has no intact replay checkpoint: ",
                                          absl::StrJoin(restored.warnings, "; ")));
}

absl::StatusOr<std::vector<int64_t>> ListTableCheckpoints(const std::string& folder) {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(folder);
  if (absl::IsNotFound(names.status())) return std::vector<int64_t>();
  CADRE_RETURN_IF_ERROR(names.status());
  std::vector<int64_t> numbers;
  for (const std::string& name : *names) {
    const std::optional<int64_t> number = NumberOf(name);
    std::error_code error;
    if (number && std::filesystem::is_regular_file(
                      std::filesystem::symlink_status(absl::StrCat(folder, "/", name), error)))
      numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string TableCheckpointPath(const std::string& folder, int64_t number) {
  return absl::StrCat(folder, "/", NameOf(number));
}

}  // namespace cadre
