#include "param_server/snapshot.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr char kRun[] = "run";
constexpr char kModelPrefix[] = "model ";

CheckpointFolder FolderOf(const std::string& folder) {
  return CheckpointFolder(folder, "parameters", kParameterSnapshot);
}

absl::Status WritePart(CheckpointFileWriter& writer, const std::string& name,
                       const google::protobuf::MessageLite& message) {
  CADRE_RETURN_IF_ERROR(writer.BeginPart(name));
  const std::string bytes = message.SerializeAsString();
  return writer.Append(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
}

absl::Status ReadPart(CheckpointFileReader& reader, google::protobuf::MessageLite* message) {
  CADRE_ASSIGN_OR_RETURN(const std::string bytes, reader.ReadPart());
  if (message->ParseFromString(bytes)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("not a ", message->GetTypeName()));
}

absl::StatusOr<ParameterStore::Snapshot> ReadSnapshot(const std::string& path) {
  CheckpointFileReader reader(path, kParameterSnapshot);
  CADRE_RETURN_IF_ERROR(reader.Open());
  ParameterStore::Snapshot snapshot;
  while (true) {
    std::string name;
    CADRE_ASSIGN_OR_RETURN(const bool there, reader.NextPart(&name));
    if (!there) return snapshot;
    absl::Status status = name == kRun ? ReadPart(reader, &snapshot.run)
                                       : ReadPart(reader, &snapshot.models.emplace_back());
    if (!status.ok())
      return absl::Status(status.code(), absl::StrCat("part '", name, "': ", status.message()));
  }
}

}  // namespace

absl::StatusOr<SavedCheckpoint> SaveSnapshot(const std::string& folder, const ParameterStore& store,
                                             int keep) {
  const ParameterStore::Snapshot snapshot = store.Save();
  const auto write = [&snapshot](CheckpointFileWriter& writer) -> absl::Status {
    CADRE_RETURN_IF_ERROR(WritePart(writer, kRun, snapshot.run));
    for (const v1::StoredModel& model : snapshot.models)
      CADRE_RETURN_IF_ERROR(
          WritePart(writer, absl::StrCat(kModelPrefix, model.info().model()), model));
    return absl::OkStatus();
  };
  return FolderOf(folder).Save(write, keep);
}

absl::StatusOr<RestoredSnapshot> RestoreSnapshot(const std::string& folder, ParameterStore* store) {
  ParameterStore::Snapshot snapshot;
  const auto named = [](const std::string& path, const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat("snapshot '", path, "': ", status.message()));
  };
  const auto verify = [&](const std::string& path) -> absl::Status {
    CADRE_ASSIGN_OR_RETURN(snapshot, ReadSnapshot(path));
    return named(path, store->CheckRunId(snapshot.run.run_id()));
  };
  CADRE_ASSIGN_OR_RETURN(CheckpointFolder::Found found, FolderOf(folder).Newest(verify));
  CADRE_RETURN_IF_ERROR(named(found.path, store->Restore(snapshot)));
  return RestoredSnapshot{std::move(found.path), std::move(found.warnings)};
}

absl::Status RemoveSnapshots(const std::string& folder) { return FolderOf(folder).RemoveAll(); }

}  // namespace cadre
