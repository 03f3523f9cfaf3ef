// Who may write to a run's folder: an advisory lock (flock) on a file in it, held by a process
// for as long as it writes. The kernel releases it however the process ends, so that nothing is
// left to clean up after a kill. Readers do not ask.
//
// The file says who holds it, for the message that somebody else gets. It is there only while
// the lock is held; one that a killed process left says nothing.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cadre {

class RunLock {
 public:
  // Locks `<folder>/<name>`; the folder is there. FAILED_PRECONDITION, with the holder, if
  // another process or another object has it. A file that was there already stays as it is
  // until Announce().
  static absl::StatusOr<std::unique_ptr<RunLock>> Acquire(const std::string& folder,
                                                          absl::string_view name);
  ~RunLock();  // Releases it, and removes the file.
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  // Writes this process, its host, its command and the time into the file.
  absl::Status Announce();

 private:
  RunLock(std::string path, int fd, bool made) : path_(std::move(path)), fd_(fd), made_(made) {}

  const std::string path_;
  const int fd_;
  bool made_;  // The file is ours to remove.
};

// Whether the process that started this one has announced that it holds `<folder>/<name>`.
bool ParentHolds(const std::string& folder, absl::string_view name);

}  // namespace cadre
