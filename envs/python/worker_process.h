// A process of a Python interpreter that steps environments: how it is started, how lines go to
// it and come from it, and how it ends. Knows nothing of environments. One thread at a time, but
// for WakeUp.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/process/monotonic_time.h"
#include "envs/python/line_socket.h"

namespace cadre {

// Ends waits for workers. Thread-safe.
class WakeUp {
 public:
  WakeUp();
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  // Each wait, and each later one, ends with CANCELLED.
  void Notify();
  bool notified() const;
  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;  // Readable once it was notified.
};

// The interpreter of workers, $CADRE_PYTHON or python3, as a path. NOT_FOUND if there is none.
absl::StatusOr<std::string> PythonInterpreter();

class WorkerProcess {
 public:
  // Runs cadre.env_worker, which inherits the file `memory`. It is killed when this process
  // ends. `wake` must outlive it.
  static absl::StatusOr<std::unique_ptr<WorkerProcess>> Start(int memory, const WakeUp* wake);
  ~WorkerProcess();  // Kills it.
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // UNAVAILABLE, saying how it ended, where it has.
  absl::Status Send(absl::string_view line);

  // The next line. DEADLINE_EXCEEDED, UNAVAILABLE as Send, CANCELLED by `wake`.
  absl::StatusOr<std::string> Receive(MonotonicTime deadline);

  pid_t pid() const { return pid_; }

 private:
  WorkerProcess(pid_t pid, int control, const WakeUp* wake)
      : pid_(pid), control_(control), wake_(wake) {}

  absl::StatusOr<std::string> Await(MonotonicTime deadline);
  absl::Status Ended();

  const pid_t pid_;
  LineSocket control_;
  const WakeUp* const wake_;
  bool answers_soon_ = true;  // It did the last time.
  bool reaped_ = false;
};

}  // namespace cadre
