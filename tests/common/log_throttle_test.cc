#include "common/log_throttle.h"

#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(LogThrottleTest, OneLineOfEachKindAPeriodAndACountOfTheOthers) {
  LogThrottle throttle(std::chrono::minutes(1));
  const auto at = [](int seconds) {
    return LogThrottle::Clock::time_point(std::chrono::hours(1) + std::chrono::seconds(seconds));
  };
  EXPECT_EQ(throttle.Admit("a", at(0)), 0);
  EXPECT_EQ(throttle.Admit("a", at(1)), std::nullopt);
  EXPECT_EQ(throttle.Admit("b", at(1)), 0);
  EXPECT_EQ(throttle.Admit("a", at(59)), std::nullopt);
  EXPECT_EQ(throttle.Admit("a", at(60)), 2);
  EXPECT_EQ(throttle.Admit("a", at(61)), std::nullopt);
  EXPECT_EQ(throttle.Admit("a", at(200)), 1);
  EXPECT_EQ(LogThrottle::Others(0), "");
  EXPECT_EQ(LogThrottle::Others(2), " (and 2 more like it)");
}

}  // namespace
}  // namespace cadre
