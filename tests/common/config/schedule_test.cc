#include "common/config/schedule.h"

#include "gtest/gtest.h"

namespace cadre {
namespace {

ScheduleConfig Schedule(ScheduleConfig::Shape shape, double final_share, double warmup) {
  ScheduleConfig config;
  config.set_shape(shape);
  config.set_final_share(final_share);
  config.set_warmup_share(warmup);
  return config;
}

TEST(ScheduleTest, WithoutOneTheValueStays) {
  for (const double progress : {0.0, 0.5, 1.0})
    EXPECT_EQ(ScheduledValue(3, ScheduleConfig(), progress), 3);
}

TEST(ScheduleTest, LinearFallsToItsFinalShare) {
  const ScheduleConfig to_zero = Schedule(ScheduleConfig::LINEAR, 0, 0);
  EXPECT_DOUBLE_EQ(ScheduledValue(2, to_zero, 0), 2);
  EXPECT_DOUBLE_EQ(ScheduledValue(2, to_zero, 0.25), 1.5);
  EXPECT_DOUBLE_EQ(ScheduledValue(2, to_zero, 1), 0);
  const ScheduleConfig to_tenth = Schedule(ScheduleConfig::LINEAR, 0.1, 0);
  EXPECT_DOUBLE_EQ(ScheduledValue(2, to_tenth, 0.5), 1.1);
  EXPECT_DOUBLE_EQ(ScheduledValue(2, to_tenth, 1), 0.2);
}

TEST(ScheduleTest, CosineIsFlatAtBothEnds) {
  const ScheduleConfig cosine = Schedule(ScheduleConfig::COSINE, 0.5, 0);
  EXPECT_DOUBLE_EQ(ScheduledValue(4, cosine, 0), 4);
  EXPECT_DOUBLE_EQ(ScheduledValue(4, cosine, 0.5), 3);
  EXPECT_DOUBLE_EQ(ScheduledValue(4, cosine, 1.0 / 3), 3.5);  // (1 + cos 60 degrees) / 2 = 3/4.
  EXPECT_DOUBLE_EQ(ScheduledValue(4, cosine, 1), 2);
}

TEST(ScheduleTest, WarmUpRisesFromZeroAndTheShapeFollowsIt) {
  const ScheduleConfig warm = Schedule(ScheduleConfig::LINEAR, 0, 0.2);
  EXPECT_DOUBLE_EQ(ScheduledValue(1, warm, 0), 0);
  EXPECT_DOUBLE_EQ(ScheduledValue(1, warm, 0.1), 0.5);
  EXPECT_DOUBLE_EQ(ScheduledValue(1, warm, 0.2), 1);
  EXPECT_DOUBLE_EQ(ScheduledValue(1, warm, 0.6), 0.5);
}

TEST(ScheduleTest, ProgressIsKeptWithinTheRun) {
  const ScheduleConfig linear = Schedule(ScheduleConfig::LINEAR, 0, 0);
  EXPECT_EQ(ScheduledValue(1, linear, -1), 1);
  EXPECT_EQ(ScheduledValue(1, linear, 2), 0);
}

}  // namespace
}  // namespace cadre
