#include "common/metrics/time_integral.h"

#include "gtest/gtest.h"

namespace cadre {
namespace {

TimeIntegral::Clock::time_point At(int seconds) {
  return TimeIntegral::Clock::time_point(std::chrono::seconds(1000 + seconds));
}

TEST(TimeIntegralTest, SumsTheNumberOverTime) {
  TimeIntegral integral;
  EXPECT_EQ(integral.seconds(At(0)), 0);
  integral.Set(3, At(10));
  EXPECT_EQ(integral.seconds(At(10)), 0);
  EXPECT_EQ(integral.seconds(At(12)), 6);
  integral.Set(1, At(12));
  EXPECT_EQ(integral.seconds(At(15)), 9);
  integral.Set(0, At(15));
  EXPECT_EQ(integral.seconds(At(99)), 9);
}

}  // namespace
}  // namespace cadre
