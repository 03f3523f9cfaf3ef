#include "common/process/shutdown.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fake_clocks.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;

// To this process, as a terminal would: whichever thread lets it through takes it.
void Interrupt() { kill(getpid(), SIGINT); }

TEST(ShutdownTest, RunsCallbacksInOrderOnASignal) {
  ShutdownSignal shutdown;
  std::vector<int> order;
  absl::Notification done;
  shutdown.OnShutdown([&] { order.push_back(1); });
  shutdown.OnShutdown([&] { order.push_back(2); });
  shutdown.OnShutdown([&] { done.Notify(); });
  EXPECT_FALSE(shutdown.requested());
  EXPECT_EQ(shutdown.signal(), 0);
  kill(getpid(), SIGTERM);
  done.WaitForNotification();
  EXPECT_THAT(order, ElementsAre(1, 2));
  EXPECT_TRUE(shutdown.requested());
  EXPECT_EQ(shutdown.signal(), SIGTERM);
}

TEST(ShutdownTest, AHangUpIsARequestToo) {
  signal(SIGHUP, SIG_DFL);  // Whatever the test was started under.
  ShutdownSignal shutdown;
  kill(getpid(), SIGHUP);
  shutdown.Wait();
  EXPECT_EQ(shutdown.signal(), SIGHUP);
  kill(getpid(), SIGHUP);  // Changes nothing.
}

TEST(ShutdownDeathTest, AHangUpThatWasIgnoredStaysIgnored) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        signal(SIGHUP, SIG_IGN);  // As nohup does.
        ShutdownSignal shutdown;
        kill(getpid(), SIGHUP);
        const pid_t child = fork();
        if (child == 0) {
          ShutdownSignal::UnblockSignalsInChild();
          raise(SIGHUP);
          _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        kill(getpid(), SIGTERM);
        shutdown.Wait();
        _exit(status == 0 && shutdown.signal() == SIGTERM ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

// `timeout -s INT` signals the process, and at once its whole group.
TEST(ShutdownDeathTest, TwoInterruptsWithinASecondAreOneRequest) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        FakeClocks clocks;
        clocks.FreezeMonotonicClock();
        ShutdownSignal shutdown;
        Interrupt();
        shutdown.Wait();
        Interrupt();
        clocks.Advance(absl::Milliseconds(900));
        Interrupt();
        absl::Notification saved;
        shutdown.OnShutdown([&] { saved.Notify(); });
        saved.WaitForNotification();
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

// A `tee` that the same Ctrl-C ended reads nothing any more.
TEST(ShutdownDeathTest, APipeWithoutAReaderDoesNotEndTheProcess) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        ShutdownSignal shutdown;
        int ends[2];
        if (pipe(ends) != 0) _exit(1);
        close(ends[0]);
        _exit(write(ends[1], "x", 1) < 0 && errno == EPIPE ? 0 : 2);
      },
      testing::ExitedWithCode(0), "");
}

TEST(ShutdownTest, ASecondTermChangesNothing) {
  std::atomic<int> runs{0};
  {
    ShutdownSignal shutdown;
    shutdown.OnShutdown([&] { ++runs; });
    kill(getpid(), SIGTERM);
    shutdown.Wait();
    kill(getpid(), SIGTERM);
    absl::Notification late;
    shutdown.OnShutdown([&] { late.Notify(); });
    late.WaitForNotification();
  }
  EXPECT_EQ(runs, 1);
}

// As libraries have that start threads when they are loaded.
TEST(ShutdownTest, AThreadThatIsOlderMayGetTheSignal) {
  // It waits where ThreadSanitizer lets signals through.
  int end[2];
  ASSERT_EQ(pipe(end), 0);
  std::thread older([&] {
    pollfd closed{end[0], 0, 0};
    while (poll(&closed, 1, -1) < 0 && errno == EINTR) {
    }
  });
  {
    ShutdownSignal shutdown;
    pthread_kill(older.native_handle(), SIGTERM);
    shutdown.Wait();
    EXPECT_EQ(shutdown.signal(), SIGTERM);
    absl::Notification late;
    shutdown.OnShutdown([&] { late.Notify(); });
    late.WaitForNotification();
  }
  close(end[1]);
  older.join();
  close(end[0]);
}

TEST(ShutdownTest, CanBeRequestedWithoutASignal) {
  ShutdownSignal shutdown;
  EXPECT_FALSE(shutdown.WaitFor(absl::ZeroDuration()));
  absl::Notification ran;
  shutdown.OnShutdown([&] { ran.Notify(); });
  shutdown.Request();
  ran.WaitForNotification();
  EXPECT_TRUE(shutdown.WaitFor(absl::InfiniteDuration()));
  EXPECT_EQ(shutdown.signal(), 0);
}

TEST(ShutdownTest, ACallbackThatComesLateRunsToo) {
  ShutdownSignal shutdown;
  shutdown.Request();
  shutdown.Wait();
  absl::Notification ran;
  shutdown.OnShutdown([&] { ran.Notify(); });
  ran.WaitForNotification();
}

TEST(ShutdownTest, WithoutASignalNothingRuns) {
  bool ran = false;
  {
    ShutdownSignal shutdown;
    shutdown.OnShutdown([&] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

TEST(ShutdownDeathTest, ALaterInterruptEndsTheProcessAtOnceEvenDuringACallback) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        alarm(20);  // Rather red than waiting for ever.
        FakeClocks clocks;
        clocks.FreezeMonotonicClock();
        ShutdownSignal shutdown;
        int ends[2];
        if (pipe(ends) != 0) _exit(1);
        shutdown.OnShutdown([&] {
          clocks.Advance(absl::Milliseconds(1100));
          Interrupt();
          char byte;
          // Nobody writes: blocks until the second signal.
          [[maybe_unused]] const ssize_t got = read(ends[0], &byte, 1);
          _exit(2);
        });
        Interrupt();
        shutdown.Wait();
        pause();
      },
      testing::ExitedWithCode(130), "");
}

TEST(ShutdownDeathTest, AfterItsEndASignalMeansWhatItMeantBefore) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        signal(SIGINT, SIG_DFL);  // A shell starts in the background what ignores it.
        {
          ShutdownSignal shutdown;
          shutdown.Request();
          shutdown.Wait();
        }
        raise(SIGINT);
        _exit(2);
      },
      testing::KilledBySignal(SIGINT), "");
}

TEST(ShutdownDeathTest, AChildCanBeStoppedOnceItsSignalsAreUnblocked) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        ShutdownSignal shutdown;
        const pid_t child = fork();
        if (child == 0) {
          ShutdownSignal::UnblockSignalsInChild();
          raise(SIGTERM);
          _exit(2);
        }
        int status = 0;
        waitpid(child, &status, 0);
        _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cadre
