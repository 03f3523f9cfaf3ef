// Runs tasks one after the other on a thread of its own: what would keep one of gRPC's
// threads too long. Each call or stream has at most one task in it, so it is as long as
// they are many. Thread-safe.
#pragma once

#include <deque>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace cadre {

class SerialExecutor {
 public:
  using Task = absl::AnyInvocable<void()>;

  explicit SerialExecutor(std::string thread_name);
  ~SerialExecutor();  // Runs what is left, and joins.
  SerialExecutor(const SerialExecutor&) = delete;
  SerialExecutor& operator=(const SerialExecutor&) = delete;

  void Run(Task task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Work(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);  // The thread.
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return ending_ || !tasks_.empty(); }

  absl::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace cadre
