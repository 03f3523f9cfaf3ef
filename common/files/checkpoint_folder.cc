#include "common/files/checkpoint_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/check.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr char kSuffix[] = ".checkpoint";
constexpr int64_t kMostNumber = 1'000'000'000'000'000'000;  // Leaves room for the next ones.

}  // namespace

CheckpointFolder::CheckpointFolder(std::string folder, std::string prefix, absl::string_view magic)
    : folder_(std::move(folder)), prefix_(absl::StrCat(prefix, "-")), magic_(magic) {}

std::string CheckpointFolder::NameOf(int64_t number) const {
  return absl::StrCat(prefix_, number, kSuffix);
}

std::string CheckpointFolder::Path(int64_t number) const {
  return absl::StrCat(folder_, "/", NameOf(number));
}

// 12 for "replay-12.checkpoint"; not "replay-012.checkpoint", "replay-12.checkpoint~", ...
bool CheckpointFolder::IsName(absl::string_view name, int64_t* number) const {
  absl::string_view digits = name;
  return absl::ConsumePrefix(&digits, prefix_) && absl::ConsumeSuffix(&digits, kSuffix) &&
         absl::SimpleAtoi(digits, number) && *number >= 0 && *number <= kMostNumber &&
         NameOf(*number) == name;
}

// One above all that have a number, whatever they are.
absl::StatusOr<int64_t> CheckpointFolder::NextNumber() const {
  CADRE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder_));
  int64_t next = 1, number = 0;
  for (const std::string& name : names)
    if (IsName(name, &number)) next = std::max(next, number + 1);
  return next;
}

// What a crash left.
absl::Status CheckpointFolder::RemoveHalfWritten() const {
  CADRE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder_));
  int64_t number = 0;
  for (const std::string& name : names) {
    absl::string_view base = name;
    if (absl::ConsumeSuffix(&base, kWritingSuffix) && IsName(base, &number))
      CADRE_RETURN_IF_ERROR(RemoveTree(folder_, name));
  }
  return absl::OkStatus();
}

absl::Status CheckpointFolder::RemoveOlder(int keep) const {
  CADRE_ASSIGN_OR_RETURN(const std::vector<int64_t> numbers, Numbers());
  for (size_t i = 0; i + static_cast<size_t>(keep) < numbers.size(); ++i)
    CADRE_RETURN_IF_ERROR(RemoveTree(folder_, NameOf(numbers[i])));
  return absl::OkStatus();
}

absl::StatusOr<SavedCheckpoint> CheckpointFolder::Save(
    absl::FunctionRef<absl::Status(CheckpointFileWriter& writer)> write, int keep) const {
  CADRE_CHECK(keep >= 1);
  CADRE_RETURN_IF_ERROR(MakeDirectories(folder_));
  CADRE_RETURN_IF_ERROR(RemoveHalfWritten());
  CADRE_ASSIGN_OR_RETURN(const int64_t number, NextNumber());
  const std::string path = Path(number);
  CheckpointFileWriter writer(path, magic_);
  CADRE_RETURN_IF_ERROR(writer.Open());
  CADRE_RETURN_IF_ERROR(write(writer));
  CADRE_RETURN_IF_ERROR(writer.Commit());
  CADRE_RETURN_IF_ERROR(RemoveOlder(keep));
  return SavedCheckpoint{path, writer.bytes()};
}

absl::StatusOr<CheckpointFolder::Found> CheckpointFolder::Newest(
    absl::FunctionRef<absl::Status(const std::string& path)> verify) const {
  CADRE_ASSIGN_OR_RETURN(std::vector<int64_t> numbers, Numbers());
  const std::string kind(absl::StripSuffix(prefix_, "-"));
  if (numbers.empty())
    return absl::NotFoundError(
        absl::StrCat("folder '", folder_, "' has no ", kind, " checkpoints"));
  std::reverse(numbers.begin(), numbers.end());
  Found found;
  absl::Status mismatch;
  for (const int64_t number : numbers) {
    found.path = Path(number);
    const absl::Status status = verify(found.path);
    if (status.ok()) return found;
    if (absl::IsFailedPrecondition(status))
      mismatch.Update(status);
    else if (!absl::IsDataLoss(status))
      return status;
    found.warnings.emplace_back(status.message());
  }
  CADRE_RETURN_IF_ERROR(mismatch);
  return absl::DataLossError(absl::StrCat("folder '", folder_, "' has no intact ", kind,
                                          " checkpoint: ", absl::StrJoin(found.warnings, "; ")));
}

absl::StatusOr<std::vector<int64_t>> CheckpointFolder::Numbers() const {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(folder_);
  if (absl::IsNotFound(names.status())) return std::vector<int64_t>();
  CADRE_RETURN_IF_ERROR(names.status());
  std::vector<int64_t> numbers;
  int64_t number = 0;
  for (const std::string& name : *names) {
    std::error_code error;
    if (IsName(name, &number) && std::filesystem::is_regular_file(std::filesystem::symlink_status(
                                     absl::StrCat(folder_, "/", name), error)))
      numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace cadre
