// A number that changes now and then, summed over time: how many wait, times how long.
// Not thread-safe; the clock is the caller's.
#pragma once

#include <chrono>
#include <cstdint>

namespace cadre {

class TimeIntegral {
 public:
  using Clock = std::chrono::steady_clock;

  // From `now` on the number is `value`. `now` never goes back.
  void Set(int64_t value, Clock::time_point now) {
    seconds_ = seconds(now);
    value_ = value;
    since_ = now;
  }

  // The sum up to `now`.
  double seconds(Clock::time_point now) const {
    return seconds_ +
           static_cast<double>(value_) * std::chrono::duration<double>(now - since_).count();
  }

 private:
  double seconds_ = 0;
  int64_t value_ = 0;
  Clock::time_point since_;
};

}  // namespace cadre
