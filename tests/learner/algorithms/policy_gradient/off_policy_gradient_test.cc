#include "learner/algorithms/policy_gradient/off_policy_gradient.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/targets/advantages.h"
#include "tests/learner/algorithms/corrected_gradient_example.h"

namespace cadre {
namespace {

class OffPolicyGradientTest : public testing::TestWithParam<bool> {
 protected:
  static ActionSpace Actions() { return GetParam() ? DiscreteActions(3) : ContinuousActions(2); }
};

TEST_P(OffPolicyGradientTest, EachStepCountsByItsRatioUpToTheBound) {
  for (const double bound : {0.0, 1.1}) {
    StaleExample example(Actions());
    std::vector<float> advantages(24), returns(24), weights = example.ratios;
    GeneralizedAdvantage(Numbers(example.batch.rewards), example.values, example.batch.segments,
                         0.9f, 0.8f, absl::MakeSpan(advantages), absl::MakeSpan(returns));
    int clipped = 0;
    for (float& weight : weights) {
      clipped += bound > 0 && weight > bound;
      if (bound > 0) weight = std::min(weight, static_cast<float>(bound));
    }
    EXPECT_EQ(clipped > 0, bound > 0) << "the example tests the bound";
    const torch::Tensor wanted =
        GradientByAutograd(example, weights, advantages, returns, 0.7, 0.02);
    OffPolicyGradientConfig config;
    config.set_gamma(0.9);
    config.set_gae_lambda(0.8);
    config.set_max_weight(bound);
    config.set_value_coefficient(0.7);
    config.set_entropy_coefficient(0.02);
    const auto algorithm = MakeOffPolicyGradient(config, std::move(example.model));
    const auto diagnostics = ComputeGradient(*algorithm, example.batch);
    ExpectSameGradient(algorithm->model().gradient(), wanted);
    EXPECT_NEAR(diagnostics.at("clipped_share"), clipped / 24.0, 1e-9);
  }
}

TEST_P(OffPolicyGradientTest, ARatioBeyondAllBoundsIsStillANumber) {
  StaleExample example(Actions());
  example.batch.log_probs.fill_(-1000);
  OffPolicyGradientConfig config;
  config.set_max_weight(0);
  const auto algorithm = MakeOffPolicyGradient(config, std::move(example.model));
  ComputeGradient(*algorithm, example.batch);
  EXPECT_TRUE(algorithm->model().gradient().isfinite().all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Actions, OffPolicyGradientTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Discrete" : "Continuous"; });

}  // namespace
}  // namespace cadre
