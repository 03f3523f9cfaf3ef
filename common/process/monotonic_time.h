// Moments by a clock that nobody sets: what durations, deadlines and intervals are measured
// with. Not a date, and a type of its own so that it cannot be mixed with one: absl::Time is
// for time stamps that people and other programs read. scripts/check-clocks.py keeps the two
// apart.
//
// Abseil's own timed waits last until a moment of the wall clock, and an hour longer if that
// is set back by an hour. AwaitFor and Event (event.h) wait by this clock.
#pragma once

#include <compare>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace cadre {

class MonotonicTime {
 public:
  // Long before any other.
  constexpr MonotonicTime() = default;

  static MonotonicTime Now();
  static constexpr MonotonicTime InfinitePast() { return MonotonicTime(); }
  static constexpr MonotonicTime InfiniteFuture() {
    return MonotonicTime(absl::InfiniteDuration());
  }

  friend absl::Duration operator-(MonotonicTime a, MonotonicTime b) { return a.at_ - b.at_; }
  friend MonotonicTime operator+(MonotonicTime time, absl::Duration duration) {
    return MonotonicTime(time.at_ + duration);
  }
  friend bool operator==(MonotonicTime a, MonotonicTime b) { return a.at_ == b.at_; }
  friend std::strong_ordering operator<=>(MonotonicTime a, MonotonicTime b) {
    if (a.at_ == b.at_) return std::strong_ordering::equal;
    return a.at_ < b.at_ ? std::strong_ordering::less : std::strong_ordering::greater;
  }

 private:
  explicit constexpr MonotonicTime(absl::Duration at) : at_(at) {}

  absl::Duration at_ = -absl::InfiniteDuration();  // Since some moment, the same for all.
};

// Waits for `condition`, at most for `timeout`; returns whether it holds. Infinite: as long as
// it takes. As absl::Mutex::AwaitWithTimeout, but for the clock, unless the process may not have
// the one thread that it takes.
bool AwaitFor(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

}  // namespace cadre
