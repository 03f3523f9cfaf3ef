#include "replay_server/storage/mapped_memory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

absl::Status Exhausted(size_t bytes, const std::string& where, int error) {
  return absl::ResourceExhaustedError(
      absl::StrCat("cannot take ", bytes, " bytes", where, ": ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<MappedMemory> MappedMemory::Anonymous(size_t bytes) {
  void* data =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, /*offset=*/0);
  if (data == MAP_FAILED) return Exhausted(bytes, " of memory", errno);
  // Rows are read in no order: with small pages most of the time would go into finding
  // them. Only advice; without it all is as before.
  (void)madvise(data, bytes, MADV_HUGEPAGE);
  MappedMemory memory;
  memory.data_ = static_cast<std::byte*>(data);
  memory.size_ = bytes;
  return memory;
}

absl::StatusOr<MappedMemory> MappedMemory::OfFile(const std::string& path, size_t bytes) {
  MappedMemory memory;
  memory.file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (memory.file_ < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open '", path, "'"));
  if (flock(memory.file_, LOCK_EX | LOCK_NB) != 0)
    return absl::FailedPreconditionError(
        absl::StrCat("'", path, "' is in use; wanted a file of this process alone"));
  memory.path_ = path;
  if (ftruncate(memory.file_, 0) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot empty '", path, "'"));
  const std::string where = absl::StrCat(" in '", path, "'");
  if (const int error = posix_fallocate(memory.file_, 0, static_cast<off_t>(bytes)); error != 0)
    return Exhausted(bytes, where, error);
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.file_, 0);
  if (data == MAP_FAILED) return Exhausted(bytes, where, errno);
  (void)madvise(data, bytes, MADV_RANDOM);
  memory.data_ = static_cast<std::byte*>(data);
  memory.size_ = bytes;
  return memory;
}

MappedMemory& MappedMemory::operator=(MappedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(file_, other.file_);
  std::swap(path_, other.path_);
  return *this;
}

MappedMemory::~MappedMemory() {
  if (data_ != nullptr) munmap(data_, size_);
  if (!path_.empty()) (void)unlink(path_.c_str());
  if (file_ >= 0) (void)close(file_);
}

}  // namespace cadre
