// Lets n threads take turns, 0, 1, ..., n - 1, 0, ..., so that what they do comes in the
// same order every time. Thread-safe.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace cadre {

class Turns {
 public:
  explicit Turns(int count) : count_(count) {}

  // Blocks until it is `index`'s turn; false where they were ended.
  bool Wait(int index) {
    absl::MutexLock lock(&mutex_);
    const auto come = [this, index]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return ended_ || next_ == index;
    };
    mutex_.Await(absl::Condition(&come));
    return !ended_;
  }

  // Whoever's turn it is has had it.
  void Done() {
    absl::MutexLock lock(&mutex_);
    next_ = (next_ + 1) % count_;
  }

  // Nobody waits any more.
  void End() {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  }

 private:
  const int count_;
  absl::Mutex mutex_;
  int next_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace cadre
