#include "learner/run_folder/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/check.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "learner/run_folder/manifest.h"

namespace cadre {
namespace {

constexpr char kManifest[] = "manifest.textproto";
constexpr char kParameters[] = "parameters.safetensors";
constexpr char kState[] = "state.safetensors";
constexpr char kBest[] = "best";

// What is being written, and what is being removed, while it still has or no
// longer has its name. A crash can leave them; the next save removes them.
constexpr char kWriting[] = ".writing";
constexpr char kRemoving[] = ".removing";

// The three files of a checkpoint.
struct Files {
  std::string manifest, parameters, state;
};

std::string Join(absl::string_view folder, absl::string_view name) {
  return absl::StrCat(folder, "/", name);
}

std::string CheckpointsFolder(absl::string_view run_folder) {
  return Join(run_folder, "checkpoints");
}

bool IsDirectory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// 1000 for "1000"; none for "01000", "best", "1000.writing", ...
std::optional<int64_t> StepsOf(absl::string_view name) {
  int64_t steps;
  if (!absl::SimpleAtoi(name, &steps) || steps < 0 || absl::StrCat(steps) != name) return {};
  return steps;
}

absl::Status FailedTo(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot ", what, " '", path, "'"));
}

// Makes renames inside a folder last.
absl::Status SyncDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FailedTo("open", path);
  // Some file systems cannot sync a folder, and need not.
  const absl::Status status =
      fsync(fd) == 0 || errno == EINVAL ? absl::OkStatus() : FailedTo("sync", path);
  close(fd);
  return status;
}

absl::Status Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return FailedTo("rename to", to);
}

// Takes the name away at once, so that nobody finds half of it, then the files.
absl::Status RemoveCheckpoint(const std::string& folder, const std::string& name) {
  const std::string doomed = absl::StrCat(name, kRemoving);
  CADRE_RETURN_IF_ERROR(RemoveTree(folder, doomed));
  CADRE_RETURN_IF_ERROR(Rename(Join(folder, name), Join(folder, doomed)));
  return RemoveTree(folder, doomed);
}

// Gives `<name>.writing` its name.
absl::Status MoveIntoPlace(const std::string& folder, const std::string& name) {
  const std::string written = absl::StrCat(name, kWriting);
  const std::string from = Join(folder, written), to = Join(folder, name);
  if (!IsDirectory(to)) return Rename(from, to);
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
    return RemoveTree(folder, written);
  }
  // This file system cannot exchange two names. For an instant there is neither.
  const std::string doomed = absl::StrCat(name, kRemoving);
  CADRE_RETURN_IF_ERROR(RemoveTree(folder, doomed));
  CADRE_RETURN_IF_ERROR(Rename(to, Join(folder, doomed)));
  if (absl::Status status = Rename(from, to); !status.ok()) {
    Rename(Join(folder, doomed), to).IgnoreError();
    return status;
  }
  return RemoveTree(folder, doomed);
}

// Writes the files of checkpoint `name` as a whole or not at all.
absl::Status WriteCheckpoint(const std::string& folder, const std::string& name,
                             const Files& files) {
  CADRE_RETURN_IF_ERROR(MakeDirectories(folder));
  const std::string written = absl::StrCat(name, kWriting);
  auto write = [&]() -> absl::Status {
    const std::string path = Join(folder, written);
    CADRE_RETURN_IF_ERROR(RemoveTree(folder, written));
    CADRE_RETURN_IF_ERROR(MakeDirectories(path));
    CADRE_RETURN_IF_ERROR(WriteFileAtomically(Join(path, kParameters), files.parameters));
    CADRE_RETURN_IF_ERROR(WriteFileAtomically(Join(path, kState), files.state));
    CADRE_RETURN_IF_ERROR(WriteFileAtomically(Join(path, kManifest), files.manifest));
    CADRE_RETURN_IF_ERROR(MoveIntoPlace(folder, name));
    return SyncDirectory(folder);
  };
  absl::Status status = write();
  if (!status.ok()) RemoveTree(folder, written).IgnoreError();
  return status;
}

// Removes what a crash left, and all but the `keep` newest up to `newest`.
absl::Status Prune(absl::string_view run_folder, int64_t newest, int keep) {
  const std::string folder = CheckpointsFolder(run_folder);
  CADRE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder));
  for (const std::string& name : names) {
    for (absl::string_view suffix : {kWriting, kRemoving}) {
      absl::string_view base = name;
      if (absl::ConsumeSuffix(&base, suffix) && (base == kBest || StepsOf(base))) {
        CADRE_RETURN_IF_ERROR(RemoveTree(folder, name));
      }
    }
  }
  std::vector<int64_t> steps = ListCheckpoints(run_folder);
  steps.erase(std::upper_bound(steps.begin(), steps.end(), newest), steps.end());
  for (size_t i = 0; i + keep < steps.size(); ++i) {
    CADRE_RETURN_IF_ERROR(RemoveCheckpoint(folder, absl::StrCat(steps[i])));
  }
  return absl::OkStatus();
}

void AddFile(const char* name, const std::string& contents, CheckpointManifest& manifest) {
  CheckpointManifest::File* file = manifest.add_files();
  file->set_name(name);
  file->set_bytes(contents.size());
  file->set_crc32c(Crc32c(contents));
}

// Compares with what the manifest says of that file.
absl::Status Verify(const CheckpointManifest& manifest, const char* name,
                    const std::string& contents) {
  for (const CheckpointManifest::File& file : manifest.files()) {
    if (file.name() != name) continue;
    const uint32_t checksum = Crc32c(contents);
    if (file.bytes() == contents.size() && file.crc32c() == checksum) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(name, " has ", contents.size(), " bytes with CRC-32C ",
                                            absl::Hex(checksum, absl::kZeroPad8),
                                            "; its manifest wants ", file.bytes(), " with ",
                                            absl::Hex(file.crc32c(), absl::kZeroPad8)));
  }
  return absl::DataLossError(absl::StrCat(kManifest, " does not list ", name));
}

absl::StatusOr<Files> ReadFiles(absl::string_view path) {
  Files files;
  for (const auto& [name, contents] :
       {std::pair(kManifest, &files.manifest), std::pair(kParameters, &files.parameters),
        std::pair(kState, &files.state)}) {
    absl::StatusOr<std::string> read = ReadFile(Join(path, name));
    if (absl::IsNotFound(read.status())) {
      return absl::DataLossError(absl::StrCat(name, " is missing"));
    }
    if (!read.ok()) return read.status();
    *contents = *std::move(read);
  }
  return files;
}

struct Verified {
  Files files;
  CheckpointManifest manifest;
};

absl::StatusOr<Verified> ReadVerified(absl::string_view path) {
  if (!IsDirectory(std::string(path))) {
    return absl::NotFoundError(absl::StrCat("there is no checkpoint '", path, "'"));
  }
  auto read = [&]() -> absl::StatusOr<Verified> {
    Verified verified;
    CADRE_ASSIGN_OR_RETURN(verified.files, ReadFiles(path));
    absl::StatusOr<CheckpointManifest> manifest = ParseManifest(verified.files.manifest);
    if (!manifest.ok()) {
      return absl::DataLossError(absl::StrCat(kManifest, " ", manifest.status().message()));
    }
    verified.manifest = *std::move(manifest);
    CADRE_RETURN_IF_ERROR(Verify(verified.manifest, kParameters, verified.files.parameters));
    CADRE_RETURN_IF_ERROR(Verify(verified.manifest, kState, verified.files.state));
    return verified;
  };
  absl::StatusOr<Verified> verified = read();
  if (!absl::IsDataLoss(verified.status())) return verified;
  return absl::DataLossError(
      absl::StrCat("checkpoint '", path, "' is damaged: ", verified.status().message()));
}

absl::StatusOr<CheckpointManifest> ReadManifest(const std::string& path) {
  CADRE_ASSIGN_OR_RETURN(const std::string text, ReadFile(Join(path, kManifest)));
  return ParseManifest(text);
}

// The first of <run folder>/superseded/<n> that is not there yet.
std::string FreeSuperseded(absl::string_view run_folder) {
  for (int n = 1;; ++n) {
    std::string path = Join(run_folder, absl::StrCat("superseded/", n));
    if (!IsDirectory(path)) return path;
  }
}

// "wanted last, best, or one of 1000, 2000": what FindCheckpoint finds.
std::string WhatThereIs(absl::string_view run_folder) {
  std::vector<std::string> steps;
  for (int64_t each : ListCheckpoints(run_folder)) steps.push_back(absl::StrCat(each));
  const bool best = IsDirectory(Join(CheckpointsFolder(run_folder), kBest));
  if (steps.empty()) return best ? "wanted best, the only one" : "there are none";
  return absl::StrCat("wanted last, ", best ? "best, " : "", "or one of ",
                      absl::StrJoin(steps, ", "));
}

}  // namespace

absl::Status SaveCheckpoint(absl::string_view run_folder, const Checkpoint& checkpoint, int keep) {
  CADRE_CHECK(keep >= 1 && checkpoint.manifest.env_steps() >= 0);
  CheckpointManifest manifest = checkpoint.manifest;
  const std::map<std::string, std::string> metadata = {
      {"experiment", manifest.experiment()},
      {"algorithm", manifest.algorithm()},
      {"environment", manifest.environment()},
      {"env_steps", absl::StrCat(manifest.env_steps())}};
  Files files;
  CADRE_ASSIGN_OR_RETURN(files.parameters, EncodeSafetensors(checkpoint.parameters, metadata));
  CADRE_ASSIGN_OR_RETURN(files.state, EncodeSafetensors(checkpoint.state, metadata));
  manifest.clear_files();
  AddFile(kParameters, files.parameters, manifest);
  AddFile(kState, files.state, manifest);
  files.manifest = ManifestText(manifest);
  CADRE_RETURN_IF_ERROR(
      WriteCheckpoint(CheckpointsFolder(run_folder), absl::StrCat(manifest.env_steps()), files));
  return Prune(run_folder, manifest.env_steps(), keep);
}

absl::Status MarkBest(absl::string_view run_folder, int64_t env_steps) {
  const std::string folder = CheckpointsFolder(run_folder);
  CADRE_ASSIGN_OR_RETURN(const Verified verified,
                         ReadVerified(Join(folder, absl::StrCat(env_steps))));
  return WriteCheckpoint(folder, kBest, verified.files);
}

absl::StatusOr<Checkpoint> LoadCheckpoint(absl::string_view path) {
  CADRE_ASSIGN_OR_RETURN(Verified verified, ReadVerified(path));
  CADRE_ASSIGN_OR_RETURN(Safetensors parameters,
                         DecodeSafetensors(verified.files.parameters, Join(path, kParameters)));
  CADRE_ASSIGN_OR_RETURN(Safetensors state,
                         DecodeSafetensors(verified.files.state, Join(path, kState)));
  return Checkpoint{std::move(verified.manifest), std::move(parameters.tensors),
                    std::move(state.tensors)};
}

absl::StatusOr<NewestCheckpoint> LoadNewestIntact(absl::string_view run_folder) {
  std::vector<std::string> names;
  for (int64_t steps : ListCheckpoints(run_folder)) names.push_back(absl::StrCat(steps));
  std::reverse(names.begin(), names.end());
  const std::string folder = CheckpointsFolder(run_folder);
  if (IsDirectory(Join(folder, kBest))) names.push_back(kBest);
  if (names.empty()) {
    return absl::NotFoundError(absl::StrCat("run folder '", run_folder, "' has no checkpoints"));
  }
  NewestCheckpoint newest;
  for (const std::string& name : names) {
    newest.path = Join(folder, name);
    absl::StatusOr<Checkpoint> checkpoint = LoadCheckpoint(newest.path);
    if (checkpoint.ok()) {
      newest.checkpoint = *std::move(checkpoint);
      return newest;
    }
    newest.warnings.emplace_back(checkpoint.status().message());
  }
  return absl::DataLossError(
      absl::StrCat("run folder '", run_folder,
                   "' has no intact checkpoint: ", absl::StrJoin(newest.warnings, "; ")));
}

absl::StatusOr<std::string> FindCheckpoint(absl::string_view run_folder, absl::string_view which) {
  if (!IsDirectory(std::string(run_folder))) {
    return absl::NotFoundError(absl::StrCat("there is no run folder '", run_folder, "'"));
  }
  const std::vector<int64_t> steps = ListCheckpoints(run_folder);
  std::string name(which);
  if (which == "last" && !steps.empty()) name = absl::StrCat(steps.back());
  const std::string path = Join(CheckpointsFolder(run_folder), name);
  if ((name == kBest || StepsOf(name)) && IsDirectory(path)) return path;
  return absl::NotFoundError(absl::StrCat("run folder '", run_folder, "' has no checkpoint '",
                                          which, "'; ", WhatThereIs(run_folder)));
}

absl::Status SupersedeAfter(absl::string_view run_folder, const std::string& path) {
  const std::string folder = CheckpointsFolder(run_folder);
  CADRE_ASSIGN_OR_RETURN(const Verified chosen, ReadVerified(path));
  const int64_t env_steps = chosen.manifest.env_steps();
  std::vector<std::string> later;
  if (IsDirectory(Join(folder, kBest)) && !HasBestUpTo(run_folder, env_steps))
    later.push_back(kBest);
  std::vector<int64_t> steps = ListCheckpoints(run_folder);
  // The newest first: whatever is left after a crash is a run up to one of them.
  std::reverse(steps.begin(), steps.end());
  for (int64_t each : steps)
    if (each > env_steps) later.push_back(absl::StrCat(each));
  const std::string name = absl::StrCat(env_steps);
  if (path != Join(folder, name))
    CADRE_RETURN_IF_ERROR(WriteCheckpoint(folder, name, chosen.files));
  if (later.empty()) return absl::OkStatus();
  const std::string superseded = FreeSuperseded(run_folder);
  CADRE_RETURN_IF_ERROR(MakeDirectories(superseded));
  for (const std::string& each : later)
    CADRE_RETURN_IF_ERROR(Rename(Join(folder, each), Join(superseded, each)));
  CADRE_RETURN_IF_ERROR(SyncDirectory(superseded));
  return SyncDirectory(folder);
}

absl::Status SetReplayCheckpoint(absl::string_view run_folder, int64_t env_steps,
                                 const std::string& replay_checkpoint) {
  const std::string folder = CheckpointsFolder(run_folder);
  const std::string path = Join(folder, absl::StrCat(env_steps));
  CADRE_ASSIGN_OR_RETURN(CheckpointManifest manifest, ReadManifest(path));
  const std::string best_path = Join(folder, kBest);
  const absl::StatusOr<CheckpointManifest> best = ReadManifest(best_path);
  const bool same = best.ok() && best->env_steps() == env_steps &&
                    best->version() == manifest.version() && best->updates() == manifest.updates();
  manifest.set_replay_checkpoint(replay_checkpoint);
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(Join(path, kManifest), ManifestText(manifest)));
  return same ? WriteFileAtomically(Join(best_path, kManifest), ManifestText(manifest))
              : absl::OkStatus();
}

absl::Status ForgetReplayCheckpoints(absl::string_view run_folder, absl::string_view prefix) {
  std::vector<std::string> names{kBest};
  for (int64_t steps : ListCheckpoints(run_folder)) names.push_back(absl::StrCat(steps));
  for (const std::string& name : names) {
    const std::string path = Join(CheckpointsFolder(run_folder), name);
    absl::StatusOr<CheckpointManifest> manifest = ReadManifest(path);
    if (!manifest.ok() || manifest->replay_checkpoint().empty() ||
        !absl::StartsWith(manifest->replay_checkpoint(), prefix))
      continue;
    manifest->clear_replay_checkpoint();
    CADRE_RETURN_IF_ERROR(WriteFileAtomically(Join(path, kManifest), ManifestText(*manifest)));
  }
  return absl::OkStatus();
}

bool HasBestUpTo(absl::string_view run_folder, int64_t env_steps) {
  const absl::StatusOr<CheckpointManifest> best =
      ReadManifest(Join(CheckpointsFolder(run_folder), kBest));
  return best.ok() && best->env_steps() <= env_steps;
}

std::string NewestBefore(absl::string_view run_folder, int64_t env_steps) {
  const std::vector<int64_t> steps = ListCheckpoints(run_folder);
  const auto next = std::lower_bound(steps.begin(), steps.end(), env_steps);
  if (next != steps.begin()) return absl::StrCat(*std::prev(next));
  return HasBestUpTo(run_folder, env_steps - 1) ? kBest : "";
}

std::vector<int64_t> ListCheckpoints(absl::string_view run_folder) {
  const std::string folder = CheckpointsFolder(run_folder);
  std::vector<int64_t> found;
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(folder);
  if (!names.ok()) return found;
  for (const std::string& name : *names) {
    const std::optional<int64_t> steps = StepsOf(name);
    if (steps && IsDirectory(Join(folder, name))) found.push_back(*steps);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace cadre
