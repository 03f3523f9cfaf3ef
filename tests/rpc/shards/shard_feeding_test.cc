#include "rpc/shards/shard_feeding.h"

#include "gtest/gtest.h"

namespace cadre {
namespace {

using std::chrono::seconds;

class ShardFeedingTest : public testing::Test {
 protected:
  // After so many more seconds.
  bool Note(int64_t inserted_steps, bool samplers_wait, int later) {
    now_ += seconds(later);
    return feeding_.Note(inserted_steps, samplers_wait, now_);
  }

  ShardFeeding feeding_{seconds(2)};
  ShardFeeding::Clock::time_point now_;
};

TEST_F(ShardFeedingTest, ItIsUnfedOnceSamplersHaveWaitedForLongUntilSomethingComes) {
  EXPECT_FALSE(Note(100, false, 0));
  EXPECT_FALSE(Note(100, true, 1));
  EXPECT_TRUE(Note(100, true, 1));
  EXPECT_TRUE(Note(100, false, 100)) << "nobody waits as it is left out";
  EXPECT_FALSE(Note(101, false, 1));
}

TEST_F(ShardFeedingTest, WhileNobodyWaitsItLacksNothing) {
  EXPECT_FALSE(Note(100, false, 0));
  EXPECT_FALSE(Note(100, false, 1000));
  EXPECT_FALSE(Note(100, true, 1));
}

TEST_F(ShardFeedingTest, AServerThatWentBackToACheckpointIsFed) {
  EXPECT_FALSE(Note(100, true, 0));
  EXPECT_TRUE(Note(100, true, 5));
  EXPECT_FALSE(Note(60, true, 1));
}

TEST_F(ShardFeedingTest, OneWhoseActorsAreSlowIsWaitedForAsLongAsTheyTake) {
  EXPECT_FALSE(Note(100, true, 0));
  EXPECT_FALSE(Note(101, true, 10));
  for (int steps = 102; steps < 110; ++steps) {
    for (int second = 1; second < 10; ++second)
      EXPECT_FALSE(Note(steps - 1, true, 1)) << steps << " " << second;
    EXPECT_FALSE(Note(steps, true, 1));
  }
  EXPECT_FALSE(Note(109, true, 29));
  EXPECT_TRUE(Note(109, true, 1));
}

TEST_F(ShardFeedingTest, ALongPauseIsNotWaitedForThreeTimes) {
  EXPECT_FALSE(Note(100, false, 0));
  EXPECT_FALSE(Note(101, true, 3600));
  EXPECT_FALSE(Note(101, true, 59));
  EXPECT_TRUE(Note(101, true, 1));
  EXPECT_FALSE(Note(102, true, 1));
  EXPECT_FALSE(Note(103, true, 1));
  EXPECT_TRUE(Note(103, true, 3));
}

}  // namespace
}  // namespace cadre
