// Nothing here waits for a time in this process: the thread that this takes would be there for
// the tests that are to do without it.
#include "common/process/start_thread.h"

#include <pthread.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "common/process/event.h"
#include "common/process/thread_pool.h"
#include "common/process/timer.h"
#include "gtest/gtest.h"
#include "tests/no_threads.h"

namespace cadre {
namespace {

constexpr char kReached[] = "the limit of threads (ulimit -u, cgroup pids.max) is reached";
// The same as an expression.
constexpr char kReachedLine[] =
    "error: cannot start a thread for pool: the limit of threads "
    "\\(ulimit -u, cgroup pids\\.max\\) is reached\n$";

TEST(StartThreadTest, RunsUnderItsName) {
  char name[16] = {};
  absl::StatusOr<std::thread> thread =
      StartThread("append-send", [&] { pthread_getname_np(pthread_self(), name, sizeof(name)); });
  ASSERT_TRUE(thread.ok()) << thread.status();
  thread->join();
  EXPECT_STREQ(name, "append-send");
}

TEST(StartThreadTest, SaysThatTheLimitOfThreadsIsReached) {
  bool ran = false;
  {
    const NoThreads limit;
    const absl::Status status = StartThread("append-send", [&] { ran = true; }).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(status.message(), std::string("cannot start a thread for append-send: ") + kReached);
  }
  EXPECT_FALSE(ran);
  StartThread("append-send", [&] { ran = true; })->join();
  EXPECT_TRUE(ran);
}

TEST(StartThreadTest, AProcessThatCannotBeginEndsWithOneLineAndItsExitCode) {
  EXPECT_EXIT(
      {
        const NoThreads limit;
        StartThreadOrExit("pool", [] {});
      },
      ::testing::ExitedWithCode(6), kReachedLine);
  EXPECT_EXIT(
      {
        const NoThreads limit;
        ThreadPool pool("pool", 3);
      },
      ::testing::ExitedWithCode(6), kReachedLine);
}

TEST(StartThreadTest, ATimerThatCannotBeStartedSaysSoOrCallsAtOnce) {
  const NoThreads limit;
  EXPECT_EQ(Timer::Start(absl::Hours(1), [] {}).status().code(),
            absl::StatusCode::kResourceExhausted);
  int calls = 0;
  EXPECT_EQ(Timer::StartOrCall(absl::Hours(1), [&] { ++calls; }), nullptr);
  EXPECT_EQ(calls, 1);
}

TEST(StartThreadTest, WaitsEndWithoutTheThreadThatEndsThem) {
  EXPECT_EXIT(
      {
        bool in_time = false;
        {
          const NoThreads limit;
          in_time = Event().WaitFor(absl::Milliseconds(5));
        }
        // And with it, once there may be one.
        in_time = in_time || Event().WaitFor(absl::Milliseconds(5));
        std::_Exit(in_time ? 1 : 0);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cadre
