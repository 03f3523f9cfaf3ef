#include "common/files/file_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/process/stop_answer.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case ENAMETOOLONG:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
      return absl::StatusCode::kResourceExhausted;
    case EIO:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kUnknown;
  }
}

// Closes a file descriptor at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  // Where a late write error may show: 0 or errno.
  int Close() {
    const int fd = fd_;
    fd_ = -1;
    return close(fd) == 0 ? 0 : errno;
  }

 private:
  int fd_;
};

int WriteAndSync(const std::string& path, absl::string_view contents) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (file.get() < 0) return errno;
  int64_t unsynced = 0;
  if (const int error = WriteInPieces(file.get(), contents, unsynced); error != 0) return error;
  if (fsync(file.get()) != 0) return errno;
  NoteSaved();
  return file.Close();
}

int SyncFolder(const std::string& folder) {
  Descriptor file(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() < 0) return errno;
  // Some file systems cannot sync a folder, and need not.
  return fsync(file.get()) == 0 || errno == EINVAL ? 0 : errno;
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

// Beside `path`, and not the name of any other writer's.
std::string TemporaryName(const std::string& path) {
  static std::atomic<uint64_t> counter{0};
  return absl::StrCat(path, ".tmp.", getpid(), ".", counter.fetch_add(1));
}

}  // namespace

absl::Status FileError(absl::string_view action, const std::string& path, int error) {
  return absl::Status(CodeOf(error),
                      absl::StrCat("cannot ", action, " '", absl::Utf8SafeCEscape(path),
                                   "': ", std::generic_category().message(error)));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FileError("read", path, errno);
  std::string contents;
  struct stat facts;
  if (fstat(file.get(), &facts) == 0 && facts.st_size > 0)
    contents.reserve(static_cast<size_t>(facts.st_size) + 1);
  char block[1 << 16];
  while (true) {
    const ssize_t got = read(file.get(), block, sizeof(block));
    if (got == 0) return contents;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError("read", path, errno);
    contents.append(block, static_cast<size_t>(got));
  }
}

int WriteInPieces(int fd, absl::string_view contents, int64_t& unsynced) {
  constexpr size_t kPiece = size_t{4} << 20;
  constexpr int64_t kMostUnsynced = int64_t{64} << 20;
  while (!contents.empty()) {
    NoteSaved();
    const ssize_t written = write(fd, contents.data(), std::min(contents.size(), kPiece));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    contents.remove_prefix(static_cast<size_t>(written));
    unsynced += written;
    if (unsynced < kMostUnsynced) continue;
    unsynced = 0;
    // Not every file can be synced.
    if (fdatasync(fd) != 0 && errno != EINVAL) return errno;
  }
  NoteSaved();
  return 0;
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view contents) {
  const std::string temporary = TemporaryName(path);
  if (const int error = WriteAndSync(temporary, contents); error != 0) {
    if (error != EEXIST) unlink(temporary.c_str());
    return FileError("write", path, error);
  }
  absl::Status status = RenameIntoPlace(temporary, path);
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

absl::Status RenameIntoPlace(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return FileError("write", to, errno);
  const int error = SyncFolder(FolderOf(to));
  return error == 0 ? absl::OkStatus() : FileError("sync the folder of", to, error);
}

absl::Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FileError("make folder", path, error.value());
  // create_directories is content with a file at `path`.
  if (!std::filesystem::is_directory(path, error)) return FileError("make folder", path, ENOTDIR);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error))
    names.push_back(it->path().filename().string());
  if (error) return FileError("list folder", path, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status RemoveTree(const std::string& folder, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || absl::StrContains(name, '/') ||
      absl::StrContains(name, '\0') || folder.empty())
    return absl::InvalidArgumentError(absl::StrCat("cannot remove '", absl::Utf8SafeCEscape(name),
                                                   "' in '", absl::Utf8SafeCEscape(folder),
                                                   "'; wanted a plain name in a folder"));
  const std::filesystem::path path = std::filesystem::path(folder) / name;
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? FileError("remove", path.string(), error.value()) : absl::OkStatus();
}

}  // namespace cadre
