#include "learner/run_folder/version_record.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

// Versions between two syncs: what a machine that went down makes the numbers jump by.
constexpr int64_t kBlock = 1000;

constexpr char kPublished[] = "published ";
constexpr char kReserved[] = "reserved ";
constexpr char kBoot[] = "boot ";

// Always as wide, so that it can be overwritten in its place.
std::string Digits(int64_t version) { return absl::StrFormat("%019d", version); }

bool ReadNumber(absl::string_view line, absl::string_view name, int64_t& number) {
  return absl::ConsumePrefix(&line, name) && absl::SimpleAtoi(line, &number) && number >= 0;
}

}  // namespace

std::string BootId() {
  const absl::StatusOr<std::string> id = ReadFile("/proc/sys/kernel/random/boot_id");
  return id.ok() ? std::string(absl::StripAsciiWhitespace(*id)) : std::string();
}

std::string VersionRecordPath(absl::string_view run_folder, int32_t rank) {
  return absl::StrCat(run_folder, "/versions.learner-", rank);
}

absl::StatusOr<std::unique_ptr<VersionRecord>> VersionRecord::Open(const std::string& path,
                                                                   const std::string& boot) {
  auto record = absl::WrapUnique(new VersionRecord(path, boot));
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return record;
  CADRE_RETURN_IF_ERROR(text.status());
  const std::vector<absl::string_view> lines = absl::StrSplit(*text, '\n');
  int64_t published = 0, reserved = 0;
  absl::string_view written_in;
  const bool whole = lines.size() == 4 && ReadNumber(lines[0], kPublished, published) &&
                     ReadNumber(lines[1], kReserved, reserved) && reserved >= published &&
                     absl::ConsumePrefix(&(written_in = lines[2]), kBoot) && lines[3].empty();
  if (!whole)
    return absl::DataLossError(
        absl::StrCat("'", path, "' is not a record of published versions: it is damaged"));
  record->highest_ = !boot.empty() && written_in == boot ? published : reserved;
  return record;
}

VersionRecord::~VersionRecord() {
  if (fd_ >= 0) close(fd_);
}

absl::Status VersionRecord::Add(int64_t version) {
  if (version <= highest_) return absl::OkStatus();
  if (version > reserved_) {
    CADRE_RETURN_IF_ERROR(Reserve(version));
  } else {
    const std::string digits = Digits(version);
    ssize_t written = 0;
    do {
      written = pwrite(fd_, digits.data(), digits.size(), sizeof(kPublished) - 1);
    } while (written < 0 && errno == EINTR);
    if (written != static_cast<ssize_t>(digits.size()))
      return FileError("write", path_, written < 0 ? errno : EIO);
  }
  highest_ = version;
  return absl::OkStatus();
}

absl::Status VersionRecord::Reserve(int64_t version) {
  const int64_t reserved = version + kBlock;
  CADRE_RETURN_IF_ERROR(
      WriteFileAtomically(path_, absl::StrCat(kPublished, Digits(version), "\n", kReserved,
                                              Digits(reserved), "\n", kBoot, boot_, "\n")));
  const int fd = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return FileError("open", path_, errno);
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
  reserved_ = reserved;
  return absl::OkStatus();
}

absl::Status RecordingParameterSink::Publish(ParametersPtr parameters) {
  CADRE_RETURN_IF_ERROR(record_->Add(parameters->version()));
  return sink_->Publish(std::move(parameters));
}

}  // namespace cadre
