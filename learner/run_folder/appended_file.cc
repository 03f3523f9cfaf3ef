#include "learner/run_folder/appended_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

absl::Status FailedTo(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot ", what, " '", path, "'"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AppendedFile>> AppendedFile::OpenWith(std::string path, int flags) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
  if (fd < 0) return FailedTo("open", path);
  const int64_t size = lseek(fd, 0, SEEK_END);
  if (size < 0) {
    const absl::Status status = FailedTo("seek in", path);
    close(fd);
    return status;
  }
  return std::unique_ptr<AppendedFile>(new AppendedFile(std::move(path), fd, size));
}

absl::StatusOr<std::unique_ptr<AppendedFile>> AppendedFile::CreateNew(std::string path) {
  return OpenWith(std::move(path), O_EXCL);
}

absl::StatusOr<std::unique_ptr<AppendedFile>> AppendedFile::Open(std::string path) {
  return OpenWith(std::move(path), 0);
}

AppendedFile::~AppendedFile() { close(fd_); }

absl::Status AppendedFile::Append(absl::string_view record) {
  size_t written = 0;
  while (written < record.size()) {
    const ssize_t n =
        pwrite(fd_, record.data() + written, record.size() - written, size_ + written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const absl::Status status = FailedTo("write", path_);
      if (ftruncate(fd_, size_) != 0) return FailedTo("shorten", path_);
      return status;
    }
    written += n;
  }
  size_ += record.size();
  return absl::OkStatus();
}

}  // namespace cadre
