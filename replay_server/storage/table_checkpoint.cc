#include "replay_server/storage/table_checkpoint.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/checkpoint_file.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

CheckpointFolder FolderOf(const std::string& folder) {
  return CheckpointFolder(folder, "replay", kReplayCheckpoint);
}

std::vector<std::string> NamesOf(absl::Span<const CheckpointedTable> tables) {
  std::vector<std::string> names;
  for (const CheckpointedTable& table : tables) names.push_back(table.name);
  return names;
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

const CheckpointedTable* Find(absl::Span<const CheckpointedTable> tables, const std::string& name) {
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [&](const CheckpointedTable& t) { return t.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

absl::Status InTable(const std::string& path, const std::string& table,
                     const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("checkpoint '", path, "', table '", table,
                                                  "': ", status.message()));
}

// Reads all of a checkpoint. DATA_LOSS where it is damaged anywhere, FAILED_PRECONDITION
// where it is of other tables than these.
absl::Status Verify(const std::string& path, absl::Span<const CheckpointedTable> tables) {
  CheckpointFileReader reader(path, kReplayCheckpoint);
  CADRE_RETURN_IF_ERROR(reader.Open());
  std::vector<std::string> names;
  absl::Status mismatch;
  while (true) {
    std::string name;
    CADRE_ASSIGN_OR_RETURN(const bool there, reader.NextPart(&name));
    if (!there) break;
    names.push_back(name);
    const CheckpointedTable* const table = Find(tables, name);
    if (table != nullptr && table->check != nullptr) {
      const absl::Status status =
          table->check([&reader](absl::Span<std::byte> bytes) { return reader.Read(bytes); });
      if (absl::IsDataLoss(status)) return InTable(path, name, status);
      mismatch.Update(InTable(path, name, status));
    }
    CADRE_RETURN_IF_ERROR(reader.SkipPart().status());
  }
  CADRE_RETURN_IF_ERROR(CheckSameTables(path, names, NamesOf(tables)));
  return mismatch;
}

absl::Status RestoreOne(CheckpointFileReader& reader, const CheckpointedTable& table) {
  CADRE_RETURN_IF_ERROR(
      table.restore([&reader](absl::Span<std::byte> bytes) { return reader.Read(bytes); }));
  CADRE_ASSIGN_OR_RETURN(const int64_t left, reader.SkipPart());
  if (left == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(left, " bytes are left that it did not want"));
}

absl::Status RestoreAll(const std::string& path, absl::Span<const CheckpointedTable> tables) {
  CheckpointFileReader reader(path, kReplayCheckpoint);
  CADRE_RETURN_IF_ERROR(reader.Open());
  while (true) {
    std::string name;
    CADRE_ASSIGN_OR_RETURN(const bool there, reader.NextPart(&name));
    if (!there) return absl::OkStatus();
    const CheckpointedTable* const table = Find(tables, name);
    if (table == nullptr)
      return absl::DataLossError(absl::StrCat("'", path, "' changed while it was read"));
    if (const absl::Status status = RestoreOne(reader, *table); !status.ok())
      return InTable(path, name, status);
  }
}

}  // namespace

absl::StatusOr<SavedCheckpoint> SaveTables(const std::string& folder,
                                           absl::Span<const CheckpointedTable> tables, int keep) {
  const auto write = [&tables](CheckpointFileWriter& writer) -> absl::Status {
    for (const CheckpointedTable& table : tables) {
      CADRE_RETURN_IF_ERROR(writer.BeginPart(table.name));
      CADRE_RETURN_IF_ERROR(table.save(
          [&writer](absl::Span<const std::byte> bytes) { return writer.Append(bytes); }));
    }
    return absl::OkStatus();
  };
  return FolderOf(folder).Save(write, keep);
}

absl::StatusOr<RestoredCheckpoint> RestoreTables(const std::string& folder,
                                                 absl::Span<const CheckpointedTable> tables) {
  CADRE_ASSIGN_OR_RETURN(
      CheckpointFolder::Found found,
      FolderOf(folder).Newest([&](const std::string& path) { return Verify(path, tables); }));
  CADRE_RETURN_IF_ERROR(RestoreAll(found.path, tables));
  return RestoredCheckpoint{std::move(found.path), std::move(found.warnings)};
}

absl::Status VerifyTables(const std::string& path, absl::Span<const CheckpointedTable> tables) {
  return Verify(path, tables);
}

absl::Status RestoreTablesFrom(const std::string& path,
                               absl::Span<const CheckpointedTable> tables) {
  CADRE_RETURN_IF_ERROR(Verify(path, tables));
  return RestoreAll(path, tables);
}

absl::StatusOr<std::vector<int64_t>> ListTableCheckpoints(const std::string& folder) {
  return FolderOf(folder).Numbers();
}

std::string TableCheckpointPath(const std::string& folder, int64_t number) {
  return FolderOf(folder).Path(number);
}

}  // namespace cadre
