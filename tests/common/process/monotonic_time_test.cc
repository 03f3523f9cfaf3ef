#include "common/process/monotonic_time.h"

#include <sys/time.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/process/event.h"
#include "common/process/timer.h"
#include "gtest/gtest.h"
#include "tests/fake_clocks.h"

namespace cadre {
namespace {

// Longer than anything here takes: a hang shall be red.
constexpr absl::Duration kLong = absl::Seconds(60);

TEST(MonotonicTimeTest, DoesNotJumpWithTheWallClock) {
  FakeClocks clocks;
  const MonotonicTime before = MonotonicTime::Now();
  clocks.ShiftWallClock(absl::Hours(1));
  EXPECT_LT(MonotonicTime::Now() - before, absl::Minutes(30));
  clocks.ShiftWallClock(-absl::Hours(2));
  EXPECT_GE(MonotonicTime::Now() - before, absl::ZeroDuration());
}

// If not, the tests of waits and durations under a shifted clock show nothing.
TEST(FakeClocksTest, WallTimeIsShiftedWhoeverAsksForIt) {
  const absl::Time before = absl::Now();
  FakeClocks clocks;
  clocks.ShiftWallClock(-absl::Hours(1));
  EXPECT_LT(absl::Now(), before - absl::Minutes(30));
  timeval time;
  ASSERT_EQ(gettimeofday(&time, nullptr), 0);
  EXPECT_LT(absl::TimeFromTimeval(time), before - absl::Minutes(30));
  EXPECT_LT(absl::FromChrono(std::chrono::system_clock::now()), before - absl::Minutes(30));
  absl::Mutex mutex;
  absl::MutexLock lock(&mutex);
  const bool never = false;
  const MonotonicTime begin = MonotonicTime::Now();
  // Until a moment that is over by the kernel's clock.
  EXPECT_FALSE(mutex.AwaitWithTimeout(absl::Condition(&never), absl::Minutes(10)));
  EXPECT_LT(MonotonicTime::Now() - begin, absl::Minutes(5));
}

TEST(MonotonicTimeTest, IsOrderedBetweenItsEnds) {
  const MonotonicTime now = MonotonicTime::Now();
  EXPECT_LT(MonotonicTime::InfinitePast(), now);
  EXPECT_LT(now, MonotonicTime::InfiniteFuture());
  EXPECT_LT(now, now + absl::Nanoseconds(1));
  EXPECT_EQ(now + absl::Seconds(2), now + absl::Seconds(1) + absl::Seconds(1));
  EXPECT_EQ(now + absl::Seconds(2) + -absl::Seconds(2), now);
  EXPECT_EQ((now + absl::Seconds(2)) - now, absl::Seconds(2));
  EXPECT_EQ(now - MonotonicTime::InfinitePast(), absl::InfiniteDuration());
  EXPECT_EQ(MonotonicTime(), MonotonicTime::InfinitePast());
}

// A shifted clock stands for one that is set while somebody waits; see fake_clocks.h.
TEST(AwaitForTest, LastsItsTimeWhateverHappensToTheWallClock) {
  for (const absl::Duration shift : {-absl::Hours(1), absl::Hours(1)}) {
    FakeClocks clocks;
    clocks.ShiftWallClock(shift);
    const MonotonicTime begin = MonotonicTime::Now();
    EXPECT_FALSE(Event().WaitFor(absl::Milliseconds(20)));
    ASSERT_GE(MonotonicTime::Now() - begin, absl::Milliseconds(20));
    EXPECT_LT(MonotonicTime::Now() - begin, absl::Minutes(30));
  }
}

TEST(AwaitForTest, EndsAsSoonAsTheConditionHolds) {
  Event begun, happened;
  std::thread waiter([&] {
    begun.Notify();
    EXPECT_TRUE(happened.WaitFor(kLong));
    EXPECT_TRUE(happened.WaitFor(absl::ZeroDuration()));
  });
  begun.Wait();
  EXPECT_FALSE(happened.WaitFor(absl::ZeroDuration()));
  EXPECT_FALSE(happened.WaitFor(-absl::InfiniteDuration()));
  happened.Notify();
  waiter.join();
  EXPECT_TRUE(happened.HasBeenNotified());
}

// The thread that ends waits sleeps until the first of them is over, and that may change.
TEST(AwaitForTest, AShortWaitEndsInTimeThoughALongerOneBeganBefore) {
  absl::Mutex mutex;
  bool over = false;
  std::atomic<int> looks{0};
  const auto is_over = [&] {
    ++looks;
    return over;
  };
  std::thread longer([&] {
    absl::MutexLock lock(&mutex);
    EXPECT_TRUE(AwaitFor(mutex, absl::Condition(&is_over), kLong));
  });
  while (looks < 2) std::this_thread::yield();  // From the second look on it has its alarm.
  const MonotonicTime begin = MonotonicTime::Now();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(Event().WaitFor(absl::Milliseconds(1)));
  EXPECT_LT(MonotonicTime::Now() - begin, kLong / 2);
  {
    absl::MutexLock lock(&mutex);
    over = true;
  }
  longer.join();
}

// Each wait's mutex goes when it is over, while others' alarms go off.
TEST(AwaitForTest, ManyWaitsEndAtOnce) {
  constexpr int kThreads = 16, kRounds = 50;
  std::atomic<int> in_time{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&in_time, i] {
      for (int round = 0; round < kRounds; ++round) {
        auto event = std::make_unique<Event>();
        std::thread notifier;
        if (i % 2 == 0) notifier = std::thread([&event] { event->Notify(); });
        if (event->WaitFor(absl::Microseconds(10 * (round % 7)))) ++in_time;
        if (notifier.joinable()) notifier.join();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(in_time, kThreads / 2 * kRounds);
}

TEST(TimerTest, CallsOnceItsTimeIsUpAndNotBefore) {
  Event called;
  {
    const auto timer = *Timer::Start(absl::Milliseconds(1), [&] { called.Notify(); });
    called.Wait();
  }
  bool too_early = false;
  {
    const auto timer = *Timer::Start(kLong, [&] { too_early = true; });
  }
  EXPECT_FALSE(too_early);
}

}  // namespace
}  // namespace cadre
