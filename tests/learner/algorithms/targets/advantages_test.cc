#include "learner/algorithms/targets/advantages.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;

struct Estimate {
  std::vector<float> advantages, returns;
};

Estimate Gae(const std::vector<float>& rewards, const std::vector<float>& values,
             const std::vector<SegmentBounds>& segments, float gamma, float lambda) {
  Estimate estimate{std::vector<float>(rewards.size()), std::vector<float>(rewards.size())};
  GeneralizedAdvantage(rewards, values, segments, gamma, lambda,
                       absl::MakeSpan(estimate.advantages), absl::MakeSpan(estimate.returns));
  return estimate;
}

TEST(GeneralizedAdvantageTest, ByHandAfterATerminalStep) {
  // delta = 1, 1.5, 0: nothing follows the last step.
  const Estimate estimate = Gae({1, 2, 3}, {1, 2, 3, 4}, {{0, 3, true}}, 0.5f, 0.5f);
  EXPECT_THAT(estimate.advantages, ElementsAre(1.375f, 1.5f, 0));
  EXPECT_THAT(estimate.returns, ElementsAre(2.375f, 3.5f, 3));
}

TEST(GeneralizedAdvantageTest, ByHandWithABootstrap) {
  // delta = 1, 1.5, 2: the last observation is worth 4.
  const Estimate estimate = Gae({1, 2, 3}, {1, 2, 3, 4}, {{0, 3, false}}, 0.5f, 0.5f);
  EXPECT_THAT(estimate.advantages, ElementsAre(1.5f, 2, 2));
  EXPECT_THAT(estimate.returns, ElementsAre(2.5f, 4, 5));
}

TEST(GeneralizedAdvantageTest, IsTheDiscountedSumOfItsDeltasWithinEachSegment) {
  Random random(1);
  for (const auto& [gamma, lambda] :
       std::vector<std::pair<double, double>>{{0.99, 0.95}, {1, 1}, {0.9, 0}, {0, 0.95}}) {
    std::vector<SegmentBounds> segments;
    int64_t steps = 0;
    for (int s = 0; s < 40; ++s) {
      const int64_t length = 1 + static_cast<int64_t>(random.Below(20));
      segments.push_back({steps, length, random.Below(2) == 0});
      steps += length;
    }
    const std::vector<float> rewards = RandomFloats(steps, random);
    const std::vector<float> values = RandomFloats(steps + 40, random);
    const Estimate estimate =
        Gae(rewards, values, segments, static_cast<float>(gamma), static_cast<float>(lambda));
    for (size_t s = 0; s < segments.size(); ++s) {
      const auto [first, length, terminated, cut, origin] = segments[s];
      const float* v = &values[first + s];
      for (int64_t t = 0; t < length; ++t) {
        double advantage = 0;  // O(T^2): each step sums to the end by itself.
        for (int64_t l = t; l < length; ++l) {
          const double next = l + 1 == length && terminated ? 0 : v[l + 1];
          advantage += std::pow(gamma * lambda, l - t) * (rewards[first + l] + gamma * next - v[l]);
        }
        ASSERT_NEAR(estimate.advantages[first + t], advantage, 2e-5);
        ASSERT_NEAR(estimate.returns[first + t], advantage + v[t], 2e-5);
      }
    }
  }
}

TEST(GeneralizedAdvantageTest, WithLambdaOneTheReturnIsTheDiscountedSumOfRewards) {
  const Estimate estimate = Gae({1, 10, 100}, {7, 8, 9, 1000}, {{0, 3, true}}, 0.5f, 1.0f);
  EXPECT_THAT(estimate.returns, ElementsAre(1 + 5 + 25, 10 + 50, 100));
}

TEST(ExplainedVarianceTest, ByHand) {
  const std::vector<float> returns = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(ExplainedVariance(returns, returns), 1);
  // A constant error explains all of the variance, a constant value none of it.
  EXPECT_DOUBLE_EQ(ExplainedVariance(std::vector<float>{11, 12, 13, 14}, returns), 1);
  EXPECT_DOUBLE_EQ(ExplainedVariance(std::vector<float>(4, 9.0f), returns), 0);
  // Errors 0, 1, 0, 1 vary by 1/4, returns by 5/4.
  EXPECT_DOUBLE_EQ(ExplainedVariance(std::vector<float>{1, 1, 3, 3}, returns), 0.8);
  EXPECT_TRUE(std::isnan(ExplainedVariance(returns, std::vector<float>(4, 1.0f))));
}

}  // namespace
}  // namespace cadre
