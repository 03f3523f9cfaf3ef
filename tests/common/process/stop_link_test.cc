#include "common/process/stop_link.h"

#include <memory>
#include <thread>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

// Returns once everything registered before has been told.
void WaitForCallbacks(ShutdownSignal& shutdown) {
  absl::Notification done;
  shutdown.OnShutdown([&done] { done.Notify(); });
  done.WaitForNotification();
}

TEST(StopLinkTest, StopsOnceShutdownIsRequested) {
  ShutdownSignal shutdown;
  int stops = 0;
  const StopLink link(shutdown, [&stops] { ++stops; });
  shutdown.Request();
  shutdown.Request();
  WaitForCallbacks(shutdown);
  EXPECT_EQ(stops, 1);
}

TEST(StopLinkTest, AfterItIsGoneNothingIsStopped) {
  ShutdownSignal shutdown;
  int stops = 0;
  auto link = std::make_unique<StopLink>(shutdown, [&stops] { ++stops; });
  link.reset();
  shutdown.Request();
  WaitForCallbacks(shutdown);
  EXPECT_EQ(stops, 0);
}

TEST(StopLinkTest, ItsEndWaitsForAStopThatIsRunning) {
  ShutdownSignal shutdown;
  absl::Notification stopping, may_finish;
  bool finished = false;
  auto link = std::make_unique<StopLink>(shutdown, [&] {
    stopping.Notify();
    may_finish.WaitForNotification();
    finished = true;
  });
  shutdown.Request();
  stopping.WaitForNotification();
  std::thread releasing([&] { may_finish.Notify(); });
  link.reset();
  EXPECT_TRUE(finished);
  releasing.join();
}

}  // namespace
}  // namespace cadre
