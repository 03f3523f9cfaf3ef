#include "replay_server/storage/rate_limiter.h"

#include <algorithm>
#include <string>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::HasSubstr;

RateLimiterConfig Config(double samples_per_insert, int64_t min_size, double error_buffer) {
  RateLimiterConfig config;
  config.set_samples_per_insert(samples_per_insert);
  config.set_min_size(min_size);
  config.set_error_buffer(error_buffer);
  return config;
}

TEST(RateLimiterTest, WithoutARatioOnlyTheMinimumSizeHoldsSamplersBack) {
  RateLimiter limiter(Config(0, 10, 0));
  EXPECT_TRUE(limiter.MayInsert(1'000'000, 0));
  EXPECT_FALSE(limiter.MaySample(1, 9));
  EXPECT_TRUE(limiter.MaySample(1'000'000, 10));
  EXPECT_TRUE(limiter.CheckInsert(1'000'000).ok());
  EXPECT_TRUE(limiter.CheckSample(1'000'000).ok());
}

TEST(RateLimiterTest, StopsEachSideAtItsEdgeOfTheBuffer) {
  RateLimiter limiter(Config(2, 10, 6));
  limiter.Insert(10);
  // Lead of inserting: 0. The bounds are -6 and 6.
  EXPECT_TRUE(limiter.MaySample(6, 10));
  EXPECT_FALSE(limiter.MaySample(7, 10));
  EXPECT_TRUE(limiter.MayInsert(3, 10));
  EXPECT_FALSE(limiter.MayInsert(4, 10));
  limiter.Sample(6);
  EXPECT_FALSE(limiter.MaySample(1, 10));
  EXPECT_TRUE(limiter.MayInsert(6, 10));
  EXPECT_FALSE(limiter.MayInsert(7, 10));
  limiter.Insert(6);
  EXPECT_FALSE(limiter.MayInsert(1, 16));
  EXPECT_TRUE(limiter.MaySample(12, 16));
  EXPECT_FALSE(limiter.MaySample(13, 16));
}

TEST(RateLimiterTest, VerdictNamesWhoWaitsAndWhy) {
  RateLimiter limiter(Config(1, 4, 2));
  EXPECT_EQ(limiter.Verdict(3), v1::LIMITER_STATE_WAITS_FOR_SIZE);
  limiter.Insert(4);
  EXPECT_EQ(limiter.Verdict(4), v1::LIMITER_STATE_OPEN);
  limiter.Sample(2);
  EXPECT_EQ(limiter.Verdict(4), v1::LIMITER_STATE_WAITS_FOR_INSERTS);
  limiter.Insert(4);
  EXPECT_EQ(limiter.Verdict(8), v1::LIMITER_STATE_WAITS_FOR_SAMPLES);
  EXPECT_EQ(limiter.Verdict(3), v1::LIMITER_STATE_WAITS_FOR_SIZE);  // It has shrunk.
}

TEST(RateLimiterTest, RefusesRequestsThatMightWaitForEverAndSaysWhatWouldDo) {
  const RateLimiter limiter(Config(4, 1, 256));
  EXPECT_TRUE(limiter.CheckInsert(64).ok());
  EXPECT_TRUE(limiter.CheckSample(256).ok());
  const absl::Status insert = limiter.CheckInsert(65);
  EXPECT_EQ(insert.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(insert.message()),
              testing::AllOf(HasSubstr("inserting 65 items"), HasSubstr("buffer of 260"),
                             HasSubstr("is 256")));
  const absl::Status sample = limiter.CheckSample(257);
  EXPECT_EQ(sample.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(sample.message()),
              testing::AllOf(HasSubstr("sampling 257 items"), HasSubstr("buffer of 257")));
}

TEST(RateLimiterTest, ARequestPastTheBufferCanDeadlock) {
  // What CheckSample is there for: with 7 > 6 both sides wait.
  RateLimiter limiter(Config(2, 10, 6));
  limiter.Insert(10);
  EXPECT_FALSE(limiter.CheckSample(7).ok());
  EXPECT_FALSE(limiter.CheckInsert(4).ok());
  EXPECT_FALSE(limiter.MaySample(7, 10));
  EXPECT_FALSE(limiter.MayInsert(4, 10));
}

TEST(RateLimiterTest, ObservedCountsFromTheMinimumSizeOn) {
  RateLimiter limiter(Config(3, 10, 30));
  EXPECT_EQ(limiter.observed(), 0);
  limiter.Insert(10);
  EXPECT_EQ(limiter.observed(), 0);
  limiter.Insert(4);
  limiter.Sample(10);
  EXPECT_EQ(limiter.observed(), 2.5);
}

TEST(RateLimiterTest, GoesOnFromASavedState) {
  RateLimiter before(Config(2, 10, 6));
  before.Insert(15);
  before.Sample(9);
  RateLimiter after(Config(2, 10, 6));
  after.set_state(before.state());
  for (int64_t n = 1; n < 20; ++n) {
    EXPECT_EQ(after.MayInsert(n, 15), before.MayInsert(n, 15));
    EXPECT_EQ(after.MaySample(n, 15), before.MaySample(n, 15));
  }
}

// Writers and samplers with requests of random allowed sizes, in random order; each waits
// with the same request until it is let through.
struct Simulation {
  double ratio;
  int64_t min_size, most_insert, most_sample;
  double buffer;
};

class SimulationTest : public testing::TestWithParam<Simulation> {};

TEST_P(SimulationTest, TheLeadStaysWithinTheBufferAndSomebodyCanAlwaysGoOn) {
  const Simulation& p = GetParam();
  RateLimiter limiter(Config(p.ratio, p.min_size, p.buffer));
  ASSERT_TRUE(limiter.CheckInsert(p.most_insert).ok());
  ASSERT_TRUE(limiter.CheckSample(p.most_sample).ok());
  Random random(17);
  const auto size_up_to = [&](int64_t most) {
    return 1 + static_cast<int64_t>(random.Below(most));
  };
  int64_t inserted = 0, sampled = 0;
  int64_t inserts[8], samples[8];
  for (int64_t& n : inserts) n = size_up_to(p.most_insert);
  for (int64_t& n : samples) n = size_up_to(p.most_sample);
  for (int step = 0; step < 100'000; ++step) {
    bool any = false;
    for (const int64_t n : inserts) any = any || limiter.MayInsert(n, inserted);
    for (const int64_t n : samples) any = any || limiter.MaySample(n, inserted);
    ASSERT_TRUE(any) << "deadlock at " << inserted << " inserted, " << sampled << " sampled";

    int64_t& insert = inserts[random.Below(8)];
    int64_t& sample = samples[random.Below(8)];
    if (random.Below(2) == 0 && limiter.MayInsert(insert, inserted)) {
      limiter.Insert(insert);
      inserted += insert;
      insert = size_up_to(p.most_insert);
    } else if (limiter.MaySample(sample, inserted)) {
      limiter.Sample(sample);
      sampled += sample;
      sample = size_up_to(p.most_sample);
    }
    const double lead =
        p.ratio * static_cast<double>(inserted - p.min_size) - static_cast<double>(sampled);
    if (inserted < p.min_size) {
      ASSERT_EQ(sampled, 0);
    } else {
      ASSERT_LE(std::abs(lead), p.buffer + 1e-6);
    }
  }
  const double wanted = p.ratio * static_cast<double>(inserted - p.min_size);
  EXPECT_GT(sampled, 1000);
  EXPECT_NEAR(limiter.observed(), p.ratio, p.ratio * p.buffer / wanted + 1e-9);
}

INSTANTIATE_TEST_SUITE_P(Sizes, SimulationTest,
                         testing::Values(Simulation{1, 1, 1, 1, 1},  // As tight as can be.
                                         Simulation{8, 1000, 64, 512, 512},
                                         Simulation{0.25, 100, 128, 32, 32},
                                         Simulation{0.3, 7, 10, 3, 3.5},
                                         Simulation{256, 1000, 16, 256, 4096}));

}  // namespace
}  // namespace cadre
