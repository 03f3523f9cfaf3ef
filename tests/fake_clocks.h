// The system's clocks, as a test wants them: wall time that jumps, monotonic time that
// stands still. Defines for the whole test, libraries included, what reads a clock:
// clock_gettime; gettimeofday, which Abseil's timed waits add their timeout to; and what
// absl::Now() calls, which otherwise asks the system only every two seconds or so. So one
// source file of a test includes this. The kernel's own waits keep to the real clocks: a wait
// until a moment of a shifted wall clock lasts as it would if somebody set the clock meanwhile.
#pragma once

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "absl/base/config.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace cadre {

class FakeClocks {
 public:
  ~FakeClocks() {
    wall_shift_ = 0;
    monotonic_shift_ = 0;
    frozen_ = 0;
  }

  // As somebody does who sets the clock.
  void ShiftWallClock(absl::Duration by) { wall_shift_ += absl::ToInt64Nanoseconds(by); }

  // From now on monotonic time moves by Advance() alone.
  void FreezeMonotonicClock() { frozen_ = Read(CLOCK_MONOTONIC); }
  // Monotonic time, frozen or not.
  void Advance(absl::Duration by) { monotonic_shift_ += absl::ToInt64Nanoseconds(by); }

  // Nanoseconds since 1970.
  static int64_t WallTime() { return Read(CLOCK_REALTIME) + wall_shift_; }

  static int Answer(clockid_t clock, timespec* time) {
    if (syscall(SYS_clock_gettime, clock, time) != 0) return -1;
    if (clock == CLOCK_REALTIME) Write(Count(*time) + wall_shift_, time);
    if (clock == CLOCK_MONOTONIC)
      Write((frozen_ != 0 ? frozen_.load() : Count(*time)) + monotonic_shift_, time);
    return 0;
  }

 private:
  static int64_t Count(const timespec& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }
  static void Write(int64_t nanoseconds, timespec* time) {
    time->tv_sec = nanoseconds / 1'000'000'000;
    time->tv_nsec = nanoseconds % 1'000'000'000;
  }
  static int64_t Read(clockid_t clock) {
    timespec time = {};
    syscall(SYS_clock_gettime, clock, &time);
    return Count(time);
  }

  static inline std::atomic<int64_t> wall_shift_{0}, monotonic_shift_{0}, frozen_{0};
};

}  // namespace cadre

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  return cadre::FakeClocks::Answer(clock, time);
}

extern "C" int gettimeofday(timeval* time, void*) noexcept {
  const int64_t microseconds = cadre::FakeClocks::WallTime() / 1000;
  time->tv_sec = microseconds / 1'000'000;
  time->tv_usec = microseconds % 1'000'000;
  return 0;
}

namespace absl {
ABSL_NAMESPACE_BEGIN
int64_t GetCurrentTimeNanos() { return cadre::FakeClocks::WallTime(); }
ABSL_NAMESPACE_END
}  // namespace absl
