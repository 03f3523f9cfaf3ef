#include "learner/run_folder/run_lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/files/file_io.h"

namespace cadre {
namespace {

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

// Of this process, as a shell shows it.
std::string Command() {
  std::string line = ReadFile("/proc/self/cmdline").value_or("unknown");
  while (!line.empty() && line.back() == '\0') line.pop_back();
  return absl::StrJoin(absl::StrSplit(line, '\0'), " ");
}

using Holder = std::map<std::string, std::string>;  // "pid" -> "4711".

Holder ReadHolder(const std::string& path) {
  Holder holder;
  for (absl::string_view line : absl::StrSplit(ReadFile(path).value_or(""), '\n')) {
    const std::pair<std::string, std::string> field =
        absl::StrSplit(line, absl::MaxSplits(": ", 1));
    if (!field.second.empty()) holder.insert(field);
  }
  return holder;
}

pid_t PidOf(const Holder& holder) {
  const auto found = holder.find("pid");
  int pid = 0;
  return found != holder.end() && absl::SimpleAtoi(found->second, &pid) ? pid : 0;
}

bool OnThisHost(const Holder& holder) {
  const auto found = holder.find("host");
  return found != holder.end() && found->second == HostName();
}

absl::Status HeldBy(const std::string& folder, const std::string& path) {
  const Holder holder = ReadHolder(path);
  const pid_t pid = PidOf(holder);
  // What a killed process left; the one that holds the lock now has not announced itself yet.
  const bool stale = OnThisHost(holder) && kill(pid, 0) != 0 && errno == ESRCH;
  if (pid == 0 || stale || !holder.count("command") || !holder.count("since"))
    return absl::FailedPreconditionError(absl::StrCat(
        "run folder '", folder, "' is in use by another process, which has just started"));
  return absl::FailedPreconditionError(
      absl::StrCat("run folder '", folder, "' is in use by process ", pid, " on ",
                   holder.at("host"), " since ", holder.at("since"), ": ", holder.at("command")));
}

// The file may have been removed, and made anew by somebody else, before it was locked.
bool IsStill(const std::string& path, int fd) {
  struct stat named, opened;
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunLock>> RunLock::Acquire(const std::string& folder,
                                                          absl::string_view name) {
  const std::string path = absl::StrCat(folder, "/", name);
  while (true) {
    bool made = true;
    int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) {
      made = false;
      fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
      if (fd < 0 && errno == ENOENT) continue;  // Removed in between.
    }
    if (fd < 0) return FileError("open", path, errno);
    auto lock = std::unique_ptr<RunLock>(new RunLock(path, fd, made));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
      if (IsStill(path, fd)) return lock;
      lock->made_ = false;  // Not the file of that name.
      continue;
    }
    const int error = errno;
    lock->made_ = false;
    if (error == EWOULDBLOCK) return HeldBy(folder, path);
    // A file system without locks: nobody is kept out, but the run can go on.
    if (error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS) return lock;
    if (error != EINTR) return FileError("lock", path, error);
  }
}

RunLock::~RunLock() {
  if (made_) unlink(path_.c_str());
  close(fd_);
}

absl::Status RunLock::Announce() {
  made_ = true;
  const std::string text = absl::StrCat(
      "pid: ", getpid(), "\nhost: ", HostName(),
      "\nsince: ", absl::FormatTime("%Y-%m-%d %H:%M:%S %z", absl::Now(), absl::LocalTimeZone()),
      "\ncommand: ", Command(), "\n");
  if (ftruncate(fd_, 0) != 0 ||
      pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return FileError("write", path_, errno);
  return absl::OkStatus();
}

bool ParentHolds(const std::string& folder, absl::string_view name) {
  const Holder holder = ReadHolder(absl::StrCat(folder, "/", name));
  return OnThisHost(holder) && PidOf(holder) == getppid();
}

}  // namespace cadre
