#include "learner/algorithms/policy_gradient/impala.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/targets/vtrace.h"
#include "tests/learner/algorithms/corrected_gradient_example.h"

namespace cadre {
namespace {

ImpalaConfig ExampleConfig() {
  ImpalaConfig config;
  config.set_gamma(0.9);
  config.set_rho_bar(1.2);
  config.set_c_bar(0.8);
  config.set_lambda(0.95);
  config.set_value_coefficient(0.7);
  config.set_entropy_coefficient(0.02);
  return config;
}

struct Targets {
  std::vector<float> values, advantages, weights;
};

Targets TargetsOf(const StaleExample& example, const VtraceCoefficients& coefficients,
                  const std::vector<float>& ratios) {
  const size_t n = ratios.size();
  Targets targets{std::vector<float>(n), std::vector<float>(n), std::vector<float>(n)};
  Vtrace(Numbers(example.batch.rewards), example.values, ratios, example.batch.segments,
         coefficients,
         {.values = absl::MakeSpan(targets.values),
          .advantages = absl::MakeSpan(targets.advantages),
          .weights = absl::MakeSpan(targets.weights)});
  return targets;
}

class ImpalaTest : public testing::TestWithParam<bool> {
 protected:
  static ActionSpace Actions() { return GetParam() ? DiscreteActions(3) : ContinuousActions(2); }
};

TEST_P(ImpalaTest, TheGradientIsThatOfTheLossWithVtraceTargets) {
  StaleExample example(Actions());
  const VtraceCoefficients coefficients{
      .gamma = 0.9f, .rho_bar = 1.2f, .c_bar = 0.8f, .lambda = 0.95f};
  const Targets targets = TargetsOf(example, coefficients, example.ratios);
  const torch::Tensor wanted =
      GradientByAutograd(example, targets.weights, targets.advantages, targets.values, 0.7, 0.02);
  const auto impala = MakeImpala(ExampleConfig(), std::move(example.model));
  const auto diagnostics = ComputeGradient(*impala, example.batch);
  ExpectSameGradient(impala->model().gradient(), wanted);

  double sum = 0, above = 0;
  for (const float ratio : example.ratios) {
    sum += ratio;
    above += ratio > 1.2;
  }
  EXPECT_NEAR(diagnostics.at("importance_weight"), sum / 24, 1e-4);
  EXPECT_GT(above, 0);
  EXPECT_NEAR(diagnostics.at("clipped_share"), above / 24, 1e-9);
}

TEST_P(ImpalaTest, WithoutCorrectionAllWeightsAreOne) {
  StaleExample example(Actions());
  const std::vector<float> ones(24, 1.0f);
  const Targets targets = TargetsOf(example, {.gamma = 0.9f, .lambda = 0.95f}, ones);
  const torch::Tensor wanted =
      GradientByAutograd(example, ones, targets.advantages, targets.values, 0.7, 0.02);
  ImpalaConfig config = ExampleConfig();
  config.set_rho_bar(0.5);  // Nor does a bound below one act.
  config.set_correction(false);
  const auto impala = MakeImpala(config, std::move(example.model));
  ComputeGradient(*impala, example.batch);
  ExpectSameGradient(impala->model().gradient(), wanted);
}

TEST_P(ImpalaTest, OfFreshExperienceCorrectedAndUncorrectedAreTheSame) {
  torch::Tensor gradients[2];
  for (const bool correction : {false, true}) {
    StaleExample example(Actions(), /*staleness=*/0);
    ImpalaConfig config;
    config.set_correction(correction);
    const auto impala = MakeImpala(config, std::move(example.model));
    const auto diagnostics = ComputeGradient(*impala, example.batch);
    EXPECT_NEAR(diagnostics.at("importance_weight"), 1, 1e-5);
    gradients[correction] = impala->model().gradient().clone();
  }
  ExpectSameGradient(gradients[1], gradients[0]);
}

TEST_P(ImpalaTest, BatchesMayHaveOtherSizesThanTheOneBefore) {
  StaleExample example(Actions());
  OnPolicyBatch first = example.batch;
  const auto behaviour = WithParameters(OnKernels(example.model->network()), /*seed=*/3);
  Random random(5);
  const OnPolicyBatch other = ExampleBatch(*behaviour, {3, 1, 40, 2}, random);
  const auto impala = MakeImpala(ExampleConfig(), std::move(example.model));
  ComputeGradient(*impala, first);
  const torch::Tensor wanted = impala->model().gradient().clone();
  ComputeGradient(*impala, other);
  EXPECT_FALSE(torch::equal(impala->model().gradient(), wanted));
  ComputeGradient(*impala, first);
  EXPECT_TRUE(torch::equal(impala->model().gradient(), wanted));
}

INSTANTIATE_TEST_SUITE_P(Actions, ImpalaTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Discrete" : "Continuous"; });

}  // namespace
}  // namespace cadre
