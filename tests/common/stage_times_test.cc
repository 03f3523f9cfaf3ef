#include "common/stage_times.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "gtest/gtest.h"

namespace cadre {
namespace {

enum class Stage { kFirst, kSecond, kThird };
using Times = StageTimes<Stage, 3>;

// Spends `seconds` of the clock that is measured.
void Spend(double seconds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < until) continue;
}

TEST(StageTimesTest, NothingCountsBeforeTheFirstStage) {
  Times times;
  Spend(1e-3);
  EXPECT_EQ(times.total_seconds(), 0);
  times.Enter(Stage::kSecond);
  times.Enter(Stage::kThird);
  EXPECT_LT(times.total_seconds(), 1e-3);
  EXPECT_EQ(times.seconds(Stage::kFirst), 0);
}

TEST(StageTimesTest, TimeCountsForTheStageItIsSpentIn) {
  Times times;
  const auto begin = std::chrono::steady_clock::now();
  times.Enter(Stage::kFirst);
  Spend(3e-3);
  times.Enter(Stage::kThird);
  EXPECT_GE(times.seconds(Stage::kFirst), 3e-3);
  Spend(1e-3);
  times.Enter(Stage::kFirst);
  Spend(1e-3);
  times.Enter(Stage::kFirst);  // Again: the time so far is added up.
  EXPECT_GE(times.seconds(Stage::kFirst), 4e-3);
  EXPECT_GE(times.seconds(Stage::kThird), 1e-3);
  EXPECT_EQ(times.seconds(Stage::kSecond), 0);
  EXPECT_GE(times.total_seconds(), 5e-3);
  const double total = times.total_seconds();
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begin;
  EXPECT_LE(total, all.count());
}

TEST(StageTimesTest, AStageThatLastsCountsWhileItDoes) {
  Times times;
  times.Enter(Stage::kSecond);
  Spend(2e-3);
  EXPECT_GE(times.seconds(Stage::kSecond), 2e-3);
  EXPECT_EQ(times.seconds(Stage::kFirst), 0);
  const double before = times.seconds(Stage::kSecond);
  times.Enter(Stage::kFirst);
  EXPECT_GE(times.seconds(Stage::kSecond), before);
}

TEST(StageTimesTest, NeverGoesBackForAReaderOnAnotherThread) {
  Times times;
  std::atomic<bool> done = false;
  std::thread worker([&] {
    for (int i = 0; i < 200000; ++i) times.Enter(static_cast<Stage>(i % 3));
    done = true;
  });
  double last[3] = {};
  int backwards = 0;
  while (!done) {
    for (int i = 0; i < 3; ++i) {
      const double now = times.seconds(static_cast<Stage>(i));
      if (now < last[i]) ++backwards;
      last[i] = now;
    }
  }
  worker.join();
  EXPECT_EQ(backwards, 0);
}

}  // namespace
}  // namespace cadre
