// Something that happens once and that threads wait for: absl::Notification, whose timed wait
// keeps to the wall clock, with one that does not. Thread-safe.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/process/monotonic_time.h"

namespace cadre {

class Event {
 public:
  Event() = default;
  // After whoever just notifies has left.
  ~Event() { absl::MutexLock lock(&mutex_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Again: changes nothing.
  void Notify() {
    absl::MutexLock lock(&mutex_);
    happened_ = true;
  }

  bool HasBeenNotified() const {
    absl::MutexLock lock(&mutex_);
    return happened_;
  }

  void Wait() const { WaitFor(absl::InfiniteDuration()); }

  // At most for `timeout`; returns whether it has happened.
  bool WaitFor(absl::Duration timeout) const {
    absl::MutexLock lock(&mutex_);
    return AwaitFor(mutex_, absl::Condition(&happened_), timeout);
  }

 private:
  mutable absl::Mutex mutex_;
  bool happened_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cadre
