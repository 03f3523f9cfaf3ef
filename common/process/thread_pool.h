// Runs tasks on a few threads of its own, in the order in which they came: what would keep
// the threads of a library, such as gRPC's, too long. It does not bound its queue: its users
// have at most one task in it for each call or stream. Thread-safe.
#pragma once

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace cadre {

class ThreadPool {
 public:
  using Task = absl::AnyInvocable<void()>;

  // `threads`: at least 1. Fewer, but one, if the process may not have more; ends the process if
  // it may not have that one (StartThreadOrExit).
  ThreadPool(const std::string& thread_name, int threads);
  ~ThreadPool();  // Runs what is left, and joins.
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void Run(Task task) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);  // Each thread.
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return ending_ || !tasks_.empty(); }

  absl::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;  // Last: they use all of the above.
};

}  // namespace cadre
