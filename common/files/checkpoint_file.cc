#include "common/files/checkpoint_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/files/file_io.h"
#include "common/process/stop_answer.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr size_t kMostPayload = 1 << 20;

enum BlockKind : uint32_t { kPart = 1, kData = 2, kEnd = 3 };

struct BlockHeader {
  uint32_t kind = 0;
  uint32_t size = 0;
  uint32_t checksum = 0;
};
static_assert(sizeof(BlockHeader) == 12);

template <typename T>
absl::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

uint32_t Checksum(uint64_t position, const BlockHeader& header, absl::string_view payload) {
  uint32_t crc = Crc32c(BytesOf(position));
  crc = Crc32c(BytesOf(header.kind), crc);
  crc = Crc32c(BytesOf(header.size), crc);
  return Crc32c(payload, crc);
}

}  // namespace

// --- Writing ---

CheckpointFileWriter::CheckpointFileWriter(std::string path, absl::string_view magic)
    : path_(std::move(path)), magic_(magic), writing_path_(absl::StrCat(path_, kWritingSuffix)) {}

CheckpointFileWriter::~CheckpointFileWriter() {
  if (fd_ >= 0) close(fd_);
  if (exists_) unlink(writing_path_.c_str());
}

absl::Status CheckpointFileWriter::Open() {
  CADRE_CHECK(fd_ < 0);
  fd_ = open(writing_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd_ < 0) return Failed("write");
  exists_ = true;
  data_.reserve(kMostPayload);
  return Write(magic_);
}

absl::Status CheckpointFileWriter::BeginPart(absl::string_view name) {
  CADRE_CHECK(name.size() <= kMostPayload);
  CADRE_RETURN_IF_ERROR(FlushData());
  return WriteBlock(kPart, name);
}

absl::Status CheckpointFileWriter::Append(absl::Span<const std::byte> bytes) {
  absl::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!rest.empty()) {
    const size_t taken = std::min(rest.size(), kMostPayload - data_.size());
    data_.append(rest.data(), taken);
    rest.remove_prefix(taken);
    if (data_.size() == kMostPayload) CADRE_RETURN_IF_ERROR(FlushData());
  }
  return absl::OkStatus();
}

absl::Status CheckpointFileWriter::Commit() {
  CADRE_RETURN_IF_ERROR(FlushData());
  CADRE_RETURN_IF_ERROR(WriteBlock(kEnd, BytesOf(blocks_)));
  if (fsync(fd_) != 0) return Failed("sync");
  NoteSaved();
  // Where a late write error may show.
  if (close(std::exchange(fd_, -1)) != 0) return Failed("close");
  CADRE_RETURN_IF_ERROR(RenameIntoPlace(writing_path_, path_));
  exists_ = false;
  return absl::OkStatus();
}

absl::Status CheckpointFileWriter::FlushData() {
  if (data_.empty()) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(WriteBlock(kData, data_));
  data_.clear();
  return absl::OkStatus();
}

absl::Status CheckpointFileWriter::WriteBlock(uint32_t kind, absl::string_view payload) {
  BlockHeader header{kind, static_cast<uint32_t>(payload.size())};
  header.checksum = Checksum(blocks_, header, payload);
  CADRE_RETURN_IF_ERROR(Write(BytesOf(header)));
  CADRE_RETURN_IF_ERROR(Write(payload));
  ++blocks_;
  return absl::OkStatus();
}

absl::Status CheckpointFileWriter::Write(absl::string_view bytes) {
  const int error = WriteInPieces(fd_, bytes, unsynced_);
  if (error != 0) return FileError("write", writing_path_, error);
  bytes_ += static_cast<int64_t>(bytes.size());
  return absl::OkStatus();
}

absl::Status CheckpointFileWriter::Failed(absl::string_view action) const {
  return FileError(action, writing_path_, errno);
}

// --- Reading ---

CheckpointFileReader::CheckpointFileReader(std::string path, absl::string_view magic)
    : path_(std::move(path)), magic_(magic) {}

CheckpointFileReader::~CheckpointFileReader() {
  if (fd_ >= 0) close(fd_);
}

absl::Status CheckpointFileReader::Open() {
  CADRE_CHECK(fd_ < 0);
  fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) return FileError("read", path_, errno);
  std::string magic(magic_.size(), '\0');
  CADRE_ASSIGN_OR_RETURN(const bool there, ReadExactly(magic.data(), magic.size()));
  if (!there || magic != magic_) return Damaged("it does not begin as such a checkpoint");
  return ReadBlock();
}

absl::StatusOr<bool> CheckpointFileReader::NextPart(std::string* name) {
  if (kind_ == kEnd) return false;
  if (kind_ != kPart) return Damaged("a part has more bytes than wanted");
  *name = payload_;
  CADRE_RETURN_IF_ERROR(ReadBlock());
  return true;
}

absl::Status CheckpointFileReader::Read(absl::Span<std::byte> bytes) {
  while (!bytes.empty()) {
    if (kind_ != kData) return Damaged("a part has less bytes than wanted");
    const size_t taken = std::min(bytes.size(), payload_.size() - used_);
    std::memcpy(bytes.data(), payload_.data() + used_, taken);
    bytes.remove_prefix(taken);
    used_ += taken;
    if (used_ == payload_.size()) CADRE_RETURN_IF_ERROR(ReadBlock());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> CheckpointFileReader::ReadPart() {
  std::string part;
  while (kind_ == kData) {
    part.append(payload_, used_);
    CADRE_RETURN_IF_ERROR(ReadBlock());
  }
  return part;
}

absl::StatusOr<int64_t> CheckpointFileReader::SkipPart() {
  int64_t skipped = 0;
  while (kind_ == kData) {
    skipped += static_cast<int64_t>(payload_.size() - used_);
    CADRE_RETURN_IF_ERROR(ReadBlock());
  }
  return skipped;
}

absl::Status CheckpointFileReader::ReadBlock() {
  BlockHeader header;
  CADRE_ASSIGN_OR_RETURN(bool there, ReadExactly(reinterpret_cast<char*>(&header), sizeof(header)));
  if (!there) return Damaged("it ends too early");
  if (header.size > kMostPayload || header.kind < kPart || header.kind > kEnd)
    return Damaged("it has a block of no known kind or size");
  payload_.resize(header.size);
  CADRE_ASSIGN_OR_RETURN(there, ReadExactly(payload_.data(), payload_.size()));
  if (!there) return Damaged("it ends too early");
  if (header.checksum != Checksum(blocks_, header, payload_))
    return Damaged("a block's checksum is wrong");
  if (header.kind == kEnd) {
    char more;
    CADRE_ASSIGN_OR_RETURN(there, ReadExactly(&more, 1));
    if (there || payload_ != BytesOf(blocks_)) return Damaged("it goes on after its end");
  }
  kind_ = header.kind;
  used_ = 0;
  ++blocks_;
  return absl::OkStatus();
}

absl::StatusOr<bool> CheckpointFileReader::ReadExactly(char* to, size_t size) {
  while (size > 0) {
    const ssize_t got = read(fd_, to, size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", path_, errno);
    if (got == 0) return false;
    to += got;
    size -= static_cast<size_t>(got);
    bytes_ += got;
  }
  return true;
}

absl::Status CheckpointFileReader::Damaged(absl::string_view what) const {
  return absl::DataLossError(
      absl::StrCat("'", path_, "' is damaged before byte ", bytes_, ": ", what));
}

}  // namespace cadre
