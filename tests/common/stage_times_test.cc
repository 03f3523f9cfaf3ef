#include "common/stage_times.h"

#include <chrono>

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
  times.Enter(Stage::kSecond);
  EXPECT_EQ(times.total_seconds(), 0);
}

TEST(StageTimesTest, TimeCountsForTheStageThatIsLeft) {
  Times times;
  const auto begin = std::chrono::steady_clock::now();
  times.Enter(Stage::kFirst);
  Spend(3e-3);
  times.Enter(Stage::kThird);
  EXPECT_GE(times.seconds(Stage::kFirst), 3e-3);
  EXPECT_EQ(times.seconds(Stage::kThird), 0);
  Spend(1e-3);
  times.Enter(Stage::kFirst);
  Spend(1e-3);
  times.Enter(Stage::kFirst);  // Again: the time so far is added up.
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(times.seconds(Stage::kFirst), 4e-3);
  EXPECT_GE(times.seconds(Stage::kThird), 1e-3);
  EXPECT_EQ(times.seconds(Stage::kSecond), 0);
  EXPECT_DOUBLE_EQ(times.total_seconds(),
                   times.seconds(Stage::kFirst) + times.seconds(Stage::kThird));
  EXPECT_LE(times.total_seconds(), all.count());
}

}  // namespace
}  // namespace cadre
