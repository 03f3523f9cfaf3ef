#include "common/metrics/stage_times.h"

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
  EXPECT_EQ(times.total_seconds(), 0);
  const auto begin = std::chrono::steady_clock::now();
  times.Enter(Stage::kSecond);
  const double total = times.total_seconds();
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begin;
  EXPECT_LE(total, all.count());
}

TEST(StageTimesTest, TimeCountsForTheStageThatIsLeft) {
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
  times.Enter(Stage::kThird);
  EXPECT_GE(times.seconds(Stage::kFirst), 4e-3);
  EXPECT_EQ(times.seconds(Stage::kFirst), times.seconds(Stage::kFirst)) << "it is over";
  EXPECT_GE(times.seconds(Stage::kThird), 1e-3);
  EXPECT_EQ(times.seconds(Stage::kSecond), 0);
  const double total = times.total_seconds();
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begin;
  EXPECT_LE(total, all.count());
}

TEST(StageTimesTest, AStageThatLastsCountsAsWell) {
  Times times;
  times.Enter(Stage::kSecond);
  Spend(2e-3);
  EXPECT_GE(times.seconds(Stage::kSecond), 2e-3);
  const double before = times.seconds(Stage::kSecond);
  Spend(1e-3);
  EXPECT_GE(times.seconds(Stage::kSecond), before + 1e-3);
  EXPECT_EQ(times.seconds(Stage::kFirst), 0);
}

}  // namespace
}  // namespace cadre
