#include "learner/algorithms/policy_gradient/a2c.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/targets/advantages.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

const std::vector<int64_t> kLengths = {5, 1, 8};

std::unique_ptr<ActorCritic> ExampleModel(const ActionSpace& action) {
  return WithParameters(OnKernels(ExampleNetwork(MlpModelConfig({9}), 4, action)));
}

// The gradient of the loss with these advantages and returns.
torch::Tensor GradientFor(ActorCritic& model, const OnPolicyBatch& batch,
                          const torch::Tensor& advantages, const torch::Tensor& returns,
                          const ActorCriticCoefficients& coefficients) {
  const torch::Tensor observations =
      batch.observations.only().index_select(0, batch.observation_rows);
  const Heads heads = model.Forward(observations);
  ActorCriticHeadGradient out;
  ComputeActorCriticGradient(heads, {batch.actions, advantages, returns, {}}, coefficients, out);
  model.Backward(out.gradient);
  return model.gradient().clone();
}

// r_t + gamma r_{t+1} + ... + gamma^n V of the segment's last observation, if it goes on.
torch::Tensor NStepReturns(const OnPolicyBatch& batch, const torch::Tensor& values, double gamma) {
  std::vector<float> returns;
  for (size_t s = 0; s < batch.segments.size(); ++s) {
    const SegmentBounds& segment = batch.segments[s];
    const int64_t end = segment.first_step + segment.length;
    for (int64_t t = segment.first_step; t < end; ++t) {
      double sum = 0;
      for (int64_t u = t; u < end; ++u)
        sum += std::pow(gamma, u - t) * batch.rewards[u].item<double>();
      if (!segment.terminated)
        sum += std::pow(gamma, end - t) * values[end + static_cast<int64_t>(s)].item<double>();
      returns.push_back(static_cast<float>(sum));
    }
  }
  return torch::tensor(returns);
}

TEST(A2cTest, TheGradientIsThatOfNStepReturnsByANaiveLoop) {
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
    auto reference = ExampleModel(action);
    Random random(2);
    const OnPolicyBatch batch = ExampleBatch(*reference, kLengths, random);
    const torch::Tensor values = reference->Values(batch.observations).clone();
    const torch::Tensor returns = NStepReturns(batch, values, 0.9);
    const torch::Tensor advantages = returns - values.index_select(0, batch.observation_rows);
    const ActorCriticCoefficients coefficients{.value = 0.7, .entropy = 0.02};
    const torch::Tensor wanted = GradientFor(*reference, batch, advantages, returns, coefficients);

    auto a2c = MakeA2cGradient({.gamma = 0.9, .coefficients = coefficients}, ExampleModel(action));
    Diagnostics diagnostics;
    ASSERT_TRUE(a2c->ComputeGradient(batch, 0, diagnostics).value());
    EXPECT_GT(wanted.norm().item<double>(), 0.01);
    EXPECT_TRUE(torch::allclose(a2c->model().gradient(), wanted, 1e-4, 1e-6));
    const std::map<std::string, double> by_name(diagnostics.begin(), diagnostics.end());
    EXPECT_NEAR(by_name.at("value_loss"), advantages.square().mean().item<double>(), 1e-5);
    EXPECT_NEAR(by_name.at("explained_variance"),
                1 - (advantages.var() / returns.var()).item<double>(), 1e-4);
  }
}

TEST(A2cTest, AdvantagesAreNormalisedWhereTheConfigSaysSo) {
  auto reference = ExampleModel(DiscreteActions(3));
  Random random(3);
  const OnPolicyBatch batch = ExampleBatch(*reference, kLengths, random);
  const torch::Tensor values = reference->Values(batch.observations).clone();
  torch::Tensor advantages = torch::empty({14}), returns = torch::empty({14});
  GeneralizedAdvantage(Flat(batch.rewards), Flat(values), batch.segments, 0.9f, 0.8f,
                       Flat(advantages), Flat(returns));
  const torch::Tensor normal = (advantages - advantages.mean()) / (advantages.std() + 1e-8);
  const torch::Tensor wanted = GradientFor(*reference, batch, normal, returns, {});

  A2cConfig config;
  config.set_gamma(0.9);
  config.set_gae_lambda(0.8);
  config.set_normalize_advantages(true);
  auto a2c = MakeA2cGradient(A2cOptionsOf(config), ExampleModel(DiscreteActions(3)));
  Diagnostics diagnostics;
  ASSERT_TRUE(a2c->ComputeGradient(batch, 0, diagnostics).value());
  EXPECT_TRUE(torch::allclose(a2c->model().gradient(), wanted, 1e-4, 1e-6));
}

}  // namespace
}  // namespace cadre
