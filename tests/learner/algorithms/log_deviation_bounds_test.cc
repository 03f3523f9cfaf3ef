// Whatever drives a Gaussian policy's deviation, no algorithm takes it out of its bounds.
#include <string>

#include "gtest/gtest.h"
#include "learner/algorithms/policy_gradient/a2c.h"
#include "learner/algorithms/policy_gradient/on_policy.h"
#include "proto/config.pb.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

constexpr double kMin = -0.5, kMax = 0.5;

ActorCriticNetwork Bounded() {
  ModelConfig model = MlpModelConfig({9});
  model.mutable_mlp()->set_min_log_std(kMin);
  model.mutable_mlp()->set_max_log_std(kMax);
  return ExampleNetwork(model, 4, ContinuousActions(2));
}

// Everything is for more entropy, and steps are long.
ExperimentConfig WantsEntropy(const std::string& algorithm) {
  ExperimentConfig config;
  const auto set = [](auto& settings) {
    settings.set_entropy_coefficient(10);
    settings.mutable_optimizer()->set_learning_rate(0.3);
    settings.mutable_optimizer()->mutable_rms_prop();
  };
  if (algorithm == "ppo") {
    config.mutable_ppo()->set_entropy_coefficient(10);
    config.mutable_ppo()->set_learning_rate(0.3);
    config.mutable_ppo()->set_minibatch_size(8);
  }
  if (algorithm == "npg") {
    config.mutable_npg()->set_entropy_coefficient(10);
    config.mutable_npg()->set_max_kl(1);
  }
  if (algorithm == "trpo") {
    config.mutable_trpo()->set_entropy_coefficient(10);
    config.mutable_trpo()->set_max_kl(1);
  }
  if (algorithm == "a2c") set(*config.mutable_a2c());
  if (algorithm == "reinforce") set(*config.mutable_reinforce());
  if (algorithm == "impala") set(*config.mutable_impala());
  if (algorithm == "off_policy_gradient") set(*config.mutable_off_policy_gradient());
  return config;
}

class LogDeviationBoundsTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Algorithms, LogDeviationBoundsTest,
                         testing::Values("ppo", "a2c", "reinforce", "impala", "off_policy_gradient",
                                         "npg", "trpo"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(LogDeviationBoundsTest, TheBonusForEntropyEndsAtTheBound) {
  for (const bool fused : {true, false}) {
    const ActorCriticNetwork network = Bounded();
    auto algorithm = MakeOnPolicyAlgorithm(
        WantsEntropy(GetParam()), WithParameters(fused ? OnKernels(network) : OnGraph(network)),
        Random(1));
    ASSERT_TRUE(algorithm.ok()) << algorithm.status();
    ActorCritic& model = (*algorithm)->model();
    const torch::Tensor log_std = model.parameters().narrow(0, network.log_std, 2);
    Random random(2);
    // Fewer than it takes a squared gradient to forget where it began.
    for (int i = 0; i < 300 && !log_std.ge(kMax).all().item<bool>(); ++i) {
      const OnPolicyBatch batch = ExampleBatch(model, {8, 8}, random);
      const auto diagnostics = (*algorithm)->Update(batch, 0);
      ASSERT_TRUE(diagnostics.ok()) << diagnostics.status();
      ASSERT_LE(log_std.max().item<float>(), kMax) << "update " << i;
      ASSERT_GE(log_std.min().item<float>(), kMin) << "update " << i;
    }
    EXPECT_TRUE(log_std.eq(kMax).all().item<bool>()) << "nothing was tested: " << log_std;
  }
}

// The bonus for entropy raises a deviation that depends on the state too, as far as its bound.
TEST_P(LogDeviationBoundsTest, SoDoesThatOfADeviationOfTheState) {
  ModelConfig model_config = WithStateDependentLogStd(MlpModelConfig({9}));
  model_config.mutable_mlp()->set_min_log_std(kMin);
  model_config.mutable_mlp()->set_max_log_std(kMax);
  const ActorCriticNetwork network = ExampleNetwork(model_config, 4, ContinuousActions(2));
  for (const bool fused : {true, false}) {
    auto algorithm = MakeOnPolicyAlgorithm(
        WantsEntropy(GetParam()), WithParameters(fused ? OnKernels(network) : OnGraph(network)),
        Random(1));
    ASSERT_TRUE(algorithm.ok()) << algorithm.status();
    ActorCritic& model = (*algorithm)->model();
    Random random(2);
    const torch::Tensor observations = RandomTensor({50, 4}, random);
    const auto deviations = [&] { return model.Forward(observations).log_std.clone(); };
    const torch::Tensor before = deviations();
    ASSERT_GT(before.std().item<float>(), 0.01) << "it depends on the state";
    for (int i = 0; i < 100 && deviations().mean().item<float>() < 0.9 * kMax; ++i) {
      const OnPolicyBatch batch = ExampleBatch(model, {8, 8}, random);
      const auto diagnostics = (*algorithm)->Update(batch, 0);
      ASSERT_TRUE(diagnostics.ok()) << diagnostics.status();
    }
    const torch::Tensor after = deviations();
    EXPECT_LE(after.max().item<float>(), kMax);
    EXPECT_GT(after.mean().item<float>(), before.mean().item<float>() + 0.2);
  }
}

// What A3C's learners push is descended on the parameter server, which knows no bounds.
TEST(LogDeviationBoundsTest, A3csGradientDoesNotLeadOut) {
  const ActorCriticNetwork network = Bounded();
  A3cConfig config;
  config.set_entropy_coefficient(10);
  for (const bool on_the_bound : {true, false}) {
    auto gradient = MakeA2cGradient(A2cOptionsOf(config), OnKernels(network));
    ActorCritic& model = gradient->model();
    model.parameters().fill_(on_the_bound ? kMax : 0.1);
    model.ParametersChanged();
    Random random(2);
    Diagnostics diagnostics;
    ASSERT_TRUE(
        gradient->ComputeGradient(ExampleBatch(model, {8, 8}, random), 0, diagnostics).ok());
    const torch::Tensor log_std = model.gradient().narrow(0, network.log_std, 2);
    if (on_the_bound)
      EXPECT_TRUE(log_std.eq(0).all().item<bool>()) << log_std;
    else
      EXPECT_TRUE(log_std.lt(0).all().item<bool>()) << log_std;
  }
}

}  // namespace
}  // namespace cadre
