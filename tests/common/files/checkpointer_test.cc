#include "common/files/checkpointer.h"

#include <atomic>

#include "absl/status/status.h"
#include "common/process/event.h"
#include "gtest/gtest.h"
#include "tests/fake_clocks.h"

namespace cadre {
namespace {

// Longer than anything here takes: a hang shall be red.
constexpr absl::Duration kLong = absl::Seconds(60);

void Ignore(const absl::StatusOr<SavedCheckpoint>&, absl::Duration) {}

TEST(CheckpointerTest, SavesEveryPeriodWhateverHappensToTheWallClock) {
  for (const absl::Duration shift : {absl::ZeroDuration(), absl::Hours(1), -absl::Hours(1)}) {
    FakeClocks clocks;
    clocks.ShiftWallClock(shift);
    std::atomic<int> saves{0};
    Event third;
    Checkpointer checkpointer(
        [&]() -> absl::StatusOr<SavedCheckpoint> {
          if (++saves == 3) third.Notify();
          return SavedCheckpoint();
        },
        absl::Milliseconds(1), Ignore);
    EXPECT_TRUE(third.WaitFor(kLong)) << shift;
  }
}

TEST(CheckpointerTest, AClockThatIsSetMakesNoCheckpointDue) {
  FakeClocks clocks;
  clocks.ShiftWallClock(-absl::Hours(2));
  std::atomic<int> saves{0};
  Checkpointer checkpointer(
      [&]() -> absl::StatusOr<SavedCheckpoint> {
        ++saves;
        return SavedCheckpoint();
      },
      absl::Hours(1), Ignore);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(checkpointer.Save().ok());
  EXPECT_EQ(saves, 20);
}

TEST(CheckpointerTest, TellsHowLongOneTookThoughTheClockWasSetMeanwhile) {
  FakeClocks clocks;
  absl::Duration told = absl::InfiniteDuration();
  Checkpointer checkpointer(
      [&]() -> absl::StatusOr<SavedCheckpoint> {
        clocks.ShiftWallClock(-absl::Hours(1));
        return SavedCheckpoint();
      },
      absl::InfiniteDuration(),
      [&](const absl::StatusOr<SavedCheckpoint>&, absl::Duration took) { told = took; });
  ASSERT_TRUE(checkpointer.Save().ok());
  checkpointer.Stop();
  EXPECT_GE(told, absl::ZeroDuration());
  EXPECT_LT(told, absl::Minutes(30));
}

}  // namespace
}  // namespace cadre
