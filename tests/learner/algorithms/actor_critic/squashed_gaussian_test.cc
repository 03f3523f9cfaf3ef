#include "learner/algorithms/actor_critic/squashed_gaussian.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/actor_critic_example.h"

namespace cadre {
namespace {

const LogDeviationBounds kBounds;

torch::Tensor Row(const std::vector<float>& values) {
  return torch::tensor(values).view({1, static_cast<int64_t>(values.size())});
}

SquashedSample Sample(const torch::Tensor& head, const torch::Tensor& noise) {
  SquashedSample sample;
  sample.noise = noise;
  SampleSquashedGaussian(head, kBounds, /*fast=*/true, sample);
  return sample;
}

void Gradient(const torch::Tensor& head, const LogDeviationBounds& bounds,
              const SquashedSample& sample, const torch::Tensor& action_gradient,
              double log_prob_slope, torch::Tensor& gradient, bool fast = true) {
  SquashedGaussianGradient(head, bounds, sample, action_gradient,
                           torch::scalar_tensor(log_prob_slope), fast, gradient);
}

TEST(SquashedGaussianTest, ByHandAtTheMiddle) {
  // u = 0: the density of the standard normal, where tanh has slope 1.
  const SquashedSample sample = Sample(Row({0, 0}), Row({0}));
  EXPECT_EQ(sample.actions.item<float>(), 0);
  EXPECT_NEAR(sample.log_probs.item<float>(), -0.9189385, 1e-6);
}

TEST(SquashedGaussianTest, ByHandOffTheMiddle) {
  // mean 0.5, sigma 2, e = 0.25: u = 1, a = tanh(1) = 0.761594, 1 - a^2 = 0.419974.
  const SquashedSample sample = Sample(Row({0.5f, std::log(2.0f)}), Row({0.25f}));
  EXPECT_NEAR(sample.actions.item<float>(), 0.761594, 1e-6);
  EXPECT_NEAR(sample.log_probs.item<float>(),
              -0.5 * 0.0625 - std::log(2) - 0.9189385 - std::log(0.419974), 2e-6);
  torch::Tensor gradient;
  // With slope 3 of the action and 0.5 of the log probability:
  // du = 3 * 0.419974 + 0.5 * 2 * 0.761594 = 2.021516; sigma e = 0.5.
  Gradient(Row({0.5f, std::log(2.0f)}), kBounds, sample, Row({3}), 0.5, gradient);
  EXPECT_NEAR(gradient[0][0].item<float>(), 2.021516, 1e-5);
  EXPECT_NEAR(gradient[0][1].item<float>(), 2.021516 * 0.5 - 0.5, 1e-5);
}

TEST(SquashedGaussianTest, DensitiesIntegrateToOne) {
  // Over actions, by the midpoint rule; each action's u and e follow from it.
  const double mean = 0.3, deviation = 0.7;
  constexpr int kCells = 20000;
  double integral = 0;
  std::vector<float> noise;
  for (int i = 0; i < kCells; ++i)
    noise.push_back(
        static_cast<float>((std::atanh(-1 + (i + 0.5) * 2 / kCells) - mean) / deviation));
  const torch::Tensor head =
      Row({static_cast<float>(mean), static_cast<float>(std::log(deviation))}).repeat({kCells, 1});
  const SquashedSample sample = Sample(head, torch::tensor(noise).view({kCells, 1}));
  for (const float log_prob : Flat(sample.log_probs))
    integral += std::exp(static_cast<double>(log_prob)) * 2 / kCells;
  EXPECT_NEAR(integral, 1, 1e-3);
}

TEST(SquashedGaussianTest, StaysFiniteFarOutWhereTheActionIsRoundedToItsBound) {
  for (const float mean : {-80.0f, 20.0f, 80.0f}) {
    const SquashedSample sample = Sample(Row({mean, 0}), Row({0.5f}));
    EXPECT_EQ(std::abs(sample.actions.item<float>()), 1);
    // log(1 - tanh(u)^2) = 2 log 2 - 2 |u| there.
    const double u = mean + 0.5;
    EXPECT_NEAR(sample.log_probs.item<float>(),
                -0.125 - 0.9189385 - 2 * std::log(2) + 2 * std::abs(u), 1e-4);
    torch::Tensor gradient;
    Gradient(Row({mean, 0}), kBounds, sample, Row({1}), 1, gradient);
    EXPECT_FLOAT_EQ(gradient[0][0].item<float>(), std::copysign(2.0f, mean));
  }
}

TEST(SquashedGaussianTest, LogDeviationsAreClamped) {
  for (const float outside : {-25.0f, 2.5f}) {
    const float bound = outside < 0 ? -20.0f : 2.0f;
    const SquashedSample clamped = Sample(Row({0.1f, outside}), Row({0.3f}));
    const SquashedSample at = Sample(Row({0.1f, bound}), Row({0.3f}));
    EXPECT_TRUE(torch::equal(clamped.actions, at.actions));
    EXPECT_TRUE(torch::equal(clamped.log_probs, at.log_probs));
  }
  SquashedSample sample{Row({0.3f}), {}, {}};
  SampleSquashedGaussian(Row({0.1f, 1}), {.min = -3, .max = -1}, /*fast=*/true, sample);
  EXPECT_TRUE(torch::equal(sample.actions, Sample(Row({0.1f, -1}), Row({0.3f})).actions));
}

// Else a head that is once outside would never come back.
TEST(SquashedGaussianTest, BeyondABoundOnlyWhatLeadsBackInsidePasses) {
  for (const float outside : {-25.0f, 2.5f}) {
    for (const double slope : {1.0, -1.0}) {  // Of the log probability: wants less noise, or more.
      const SquashedSample sample = Sample(Row({0.1f, outside}), Row({0}));
      torch::Tensor gradient;
      Gradient(Row({0.1f, outside}), kBounds, sample, Row({0}), slope, gradient);
      EXPECT_NE(gradient[0][0].item<float>(), 0);
      const float deviation = gradient[0][1].item<float>();
      if ((outside > 0) == (slope < 0))
        EXPECT_GT(deviation * outside, 0) << "descending does not lead inside";
      else
        EXPECT_EQ(deviation, 0);
    }
  }
}

TEST(SquashedGaussianTest, TheClosedFormIsAutograds) {
  Random random(1);
  SquashedSample sample;
  torch::Tensor gradient;
  for (const int64_t batch : {1, 7, 64})
    for (const int64_t dimensions : {1, 3, 6}) {
      torch::Tensor head = RandomTensor({batch, 2 * dimensions}, random);
      // Beyond the clamp.
      head[0][dimensions] = 3;
      head[batch - 1][dimensions] = -21;
      const torch::Tensor noise = RandomTensor({batch, dimensions}, random);
      const torch::Tensor action_gradient = RandomTensor({batch, dimensions}, random);
      sample.noise = noise;
      SampleSquashedGaussian(head, kBounds, /*fast=*/true, sample);
      SquashedSample wanted{noise, {}, {}};
      SampleSquashedGaussian(head, kBounds, /*fast=*/false, wanted);
      ExpectClose(sample.actions, wanted.actions, "actions");
      ExpectClose(sample.log_probs, wanted.log_probs, "log probabilities");
      Gradient(head, kBounds, sample, action_gradient, 0.7, gradient);
      torch::Tensor by_autograd;
      Gradient(head, kBounds, sample, action_gradient, 0.7, by_autograd, /*fast=*/false);
      ExpectClose(gradient, by_autograd, "gradient");
    }
}

}  // namespace
}  // namespace cadre
