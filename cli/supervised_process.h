// One child process, kept alive by a thread of its own: started, waited for, and
// started again with backoff when it dies. Thread-safe.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/process/monotonic_time.h"

namespace cadre {

class SupervisedProcess {
 public:
  struct Options {
    std::string name;                  // "actor 0", for messages.
    std::vector<std::string> command;  // Program and arguments.
    // Gets each line that the child writes to stdout, on the supervising thread.
    // Null: the child's stdout is ours.
    std::function<void(absl::string_view line)> on_line;
    // Gets the child's stderr, appended; its last line goes into the error that a
    // failure is reported with. Empty: the child's stderr is ours.
    std::string log_path;
    // Asked on the supervising thread when the child has exited with status 0 unasked, as it
    // does on anybody else's SIGTERM: true starts it again. Null: it is done.
    std::function<bool()> still_needed;
    // Runs on the supervising thread, or in Start(), when the child will not be started again: it
    // ended well, failed for good, or was told to end.
    std::function<void()> on_end;
    int max_quick_deaths = 8;  // In a row, each within ten seconds of its start.
    // How long the child may take to end once it was asked to, before it is killed.
    absl::Duration kill_after = absl::Seconds(2);
    // Of one that has something to save, and says so (common/process/stop_answer.h): `kill_after`
    // is how long it may take to answer, and `save_pause` how long it may say nothing from then on.
    // Not set: it has nothing to save.
    std::optional<absl::Duration> save_pause;
  };

  explicit SupervisedProcess(Options options);
  ~SupervisedProcess();  // End().
  SupervisedProcess(const SupervisedProcess&) = delete;
  SupervisedProcess& operator=(const SupervisedProcess&) = delete;

  // Where there is no thread for it, it has ended with RESOURCE_EXHAUSTED.
  void Start();

  // Asks the child to end (SIGTERM) and does not start it again.
  void Terminate();

  // Waits until the child has ended for good. False after `timeout`.
  bool WaitFor(absl::Duration timeout);

  // Terminate(), and waits until the child has ended; kills it where it takes too long, counted
  // from when it was first asked to. On the thread of Start().
  void End();

  // Once ended: OK where the child exited with 0, or ended as it was asked to;
  // DEADLINE_EXCEEDED where it had to be killed.
  absl::Status status() const;
  bool ended() const;
  int restarts() const;
  pid_t pid() const;  // 0 while there is none.

 private:
  bool asked_to_end() const;
  absl::Status AskedEnd() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // When the child is to be killed, and why then.
  MonotonicTime KillAt() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string WhyKilled() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Supervise();
  void Ended(absl::Status status);
  // Starts the child and waits for its end; its status as waitpid gives it.
  absl::StatusOr<int> RunOnce();
  // What the child writes, until it has ended or closed them: lines for on_line, and the bytes of
  // stop_answer.h. -1: there is none.
  void ReadPipes(int lines, int answers);
  // What an end means: OK, an error for good, or UNAVAILABLE (start it again).
  absl::Status Judge(int wait_status) const;

  const Options options_;
  mutable absl::Mutex mutex_;
  pid_t pid_ ABSL_GUARDED_BY(mutex_) = 0;
  bool terminate_ ABSL_GUARDED_BY(mutex_) = false;
  MonotonicTime terminated_at_ ABSL_GUARDED_BY(mutex_);  // When it was first asked to end.
  MonotonicTime answered_at_ ABSL_GUARDED_BY(mutex_);    // When it said last that it will.
  std::string killed_ ABSL_GUARDED_BY(mutex_);           // Why it was; empty: it was not.
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  int restarts_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace cadre
