// The loss of the policy-gradient family by hand, and its two gradients against each other.
#include "learner/algorithms/policy_gradient/actor_critic_loss.h"

#include <cmath>
#include <string>
#include <vector>

#include <torch/autograd.h>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

torch::Tensor Floats(const std::vector<float>& values) { return torch::tensor(values); }
torch::Tensor Actions(const std::vector<int64_t>& values) {
  return torch::tensor(values, torch::kInt64);
}

TEST(ActorCriticLossTest, TwoDiscreteStepsByHand) {
  // Probabilities (0.75, 0.25) and (0.5, 0.5).
  const Heads heads{Floats({std::log(3.0f), 0, 0, 0}).view({2, 2}), Floats({3, -1}), {}};
  const ActorCriticTargets targets{Actions({1, 0}), Floats({2, -4}), Floats({1, -1}), {}};
  ActorCriticHeadGradient out;
  ComputeActorCriticGradient(heads, targets, {.value = 0.5}, out);
  const double log4 = std::log(4), log2 = std::log(2);
  EXPECT_NEAR(out.diagnostics.policy_loss, (2 * log4 - 4 * log2) / 2, 1e-6);
  EXPECT_NEAR(out.diagnostics.value_loss, (4 + 0) / 2.0, 1e-6);
  EXPECT_NEAR(out.diagnostics.entropy, (0.75 * std::log(4.0 / 3) + 0.25 * log4 + log2) / 2, 1e-6);
  // -A (1[j = a] - p_j) / 2.
  EXPECT_NEAR(out.gradient.policy[0][0].item<float>(), 0.75, 1e-6);
  EXPECT_NEAR(out.gradient.policy[0][1].item<float>(), -0.75, 1e-6);
  EXPECT_NEAR(out.gradient.policy[1][0].item<float>(), 1, 1e-6);
  EXPECT_NEAR(out.gradient.policy[1][1].item<float>(), -1, 1e-6);
  // 0.5 * 2 (V - R) / 2.
  EXPECT_NEAR(out.gradient.value[0].item<float>(), 1, 1e-6);
  EXPECT_NEAR(out.gradient.value[1].item<float>(), 0, 1e-6);
}

TEST(ActorCriticLossTest, AGaussianStepByHand) {
  const Heads heads{Floats({0}).view({1, 1}), Floats({0}), Floats({std::log(2.0f)})};
  const ActorCriticTargets targets{Floats({6}).view({1, 1}), Floats({2}), Floats({0}), {}};
  ActorCriticHeadGradient out;
  ComputeActorCriticGradient(heads, targets, {.entropy = 0.25}, out);  // z = 3.
  const double log_prob = -0.5 * 9 - std::log(2) - 0.5 * std::log(2 * M_PI);
  EXPECT_NEAR(out.diagnostics.policy_loss, -2 * log_prob, 1e-5);
  EXPECT_NEAR(out.diagnostics.entropy, 0.5 + std::log(2) + 0.5 * std::log(2 * M_PI), 1e-6);
  EXPECT_FLOAT_EQ(out.gradient.policy[0][0].item<float>(), -2 * 3 / 2.0f);
  EXPECT_FLOAT_EQ(out.gradient.log_std[0].item<float>(), -2 * (9 - 1) - 0.25f);
}

TEST(ActorCriticLossTest, EntropyPullsTowardsTheUniformPolicy) {
  const Heads heads{Floats({std::log(3.0f), 0}).view({1, 2}), Floats({0}), {}};
  ActorCriticHeadGradient out;
  ComputeActorCriticGradient(heads, {Actions({0}), Floats({0}), {}, {}}, {.entropy = 2}, out);
  // 2 p_j (log p_j + H) for p = (0.75, 0.25).
  const double entropy = 0.75 * std::log(4.0 / 3) + 0.25 * std::log(4);
  EXPECT_NEAR(out.gradient.policy[0][0].item<float>(), 1.5 * (std::log(0.75) + entropy), 1e-6);
  EXPECT_GT(out.gradient.policy[0][0].item<float>(), 0);  // Descent makes it less likely.
  EXPECT_NEAR(out.gradient.policy.sum().item<float>(), 0, 1e-6);
}

TEST(ActorCriticLossTest, AWeightMultipliesThePolicysTermAlone) {
  const Heads heads{Floats({0, 0}).view({1, 2}), Floats({3}), {}};
  ActorCriticTargets targets{Actions({0}), Floats({2}), Floats({1}), {}};
  ActorCriticHeadGradient plain, weighted;
  ComputeActorCriticGradient(heads, targets, {}, plain);
  targets.weights = Floats({3});
  ComputeActorCriticGradient(heads, targets, {}, weighted);
  EXPECT_TRUE(torch::allclose(weighted.gradient.policy, 3 * plain.gradient.policy));
  EXPECT_TRUE(torch::equal(weighted.gradient.value, plain.gradient.value));
  EXPECT_NEAR(weighted.diagnostics.policy_loss, 3 * plain.diagnostics.policy_loss, 1e-6);
}

TEST(ActorCriticLossTest, WithoutReturnsTheValueIsLeftAlone) {
  const Heads heads{Floats({0, 1}).view({1, 2}), Floats({3}), {}};
  ActorCriticHeadGradient out;
  ComputeActorCriticGradient(heads, {Actions({0}), Floats({2}), {}, {}}, {}, out);
  EXPECT_EQ(out.gradient.value[0].item<float>(), 0);
  EXPECT_EQ(out.diagnostics.value_loss, 0);
}

void ExpectClose(const torch::Tensor& got, const torch::Tensor& wanted, const std::string& what) {
  const double scale = wanted.abs().max().item<double>();
  EXPECT_LE((got - wanted).abs().max().item<double>(), 1e-5 * scale + 1e-7) << what;
}

Heads RandomHeads(const ActionSpace& action, int64_t steps, Random& random,
                  bool own_log_std = false) {
  const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({3}), 2, action);
  Heads heads{
      RandomTensor({steps, network.policy_outputs}, random), RandomTensor({steps}, random), {}};
  if (network.discrete()) return heads;
  heads.log_std = own_log_std ? RandomTensor({steps, network.policy_outputs}, random, 0.4)
                              : RandomTensor({network.policy_outputs}, random, 0.4);
  return heads;
}

ActorCriticTargets RandomTargets(const ActionSpace& action, const Heads& heads, Random& random) {
  const int64_t steps = heads.policy.size(0);
  return {RandomActions(action, steps, random), RandomTensor({steps}, random), {}, {}};
}

TEST(ActorCriticLossTest, TheClosedFormIsTheGradientOfTheLoss) {
  Random random(3);
  for (const ActionSpace& action :
       {DiscreteActions(2), DiscreteActions(7), ContinuousActions(1), ContinuousActions(3)})
    for (const bool with_returns : {false, true})
      for (const bool with_weights : {false, true})
        for (const int64_t steps : {1, 7, 200})
          for (const bool own_log_std : {false, true}) {
            Heads heads = RandomHeads(action, steps, random, own_log_std);
            ActorCriticTargets targets = RandomTargets(action, heads, random);
            if (with_returns) targets.returns = RandomTensor({steps}, random);
            if (with_weights) targets.weights = RandomTensor({steps}, random).abs();
            const ActorCriticCoefficients coefficients{.value = 0.7, .entropy = 0.03};
            ActorCriticHeadGradient closed;
            ComputeActorCriticGradient(heads, targets, coefficients, closed);

            Heads leaves{
                heads.policy.clone().requires_grad_(), heads.value.clone().requires_grad_(), {}};
            if (heads.log_std.defined()) leaves.log_std = heads.log_std.clone().requires_grad_();
            const ActorCriticLoss loss = ComputeActorCriticLoss(leaves, targets, coefficients);
            loss.total.backward();
            const std::string what =
                std::to_string(steps) + " steps of " + std::to_string(heads.policy.size(1)) +
                (with_returns ? ", returns" : "") + (with_weights ? ", weights" : "");
            ExpectClose(closed.gradient.policy, leaves.policy.grad(), what);
            if (with_returns) ExpectClose(closed.gradient.value, leaves.value.grad(), what);
            if (heads.log_std.defined())
              ExpectClose(closed.gradient.log_std, leaves.log_std.grad(), what);
            const double policy = loss.policy.item<double>(), value = loss.value.item<double>();
            EXPECT_NEAR(closed.diagnostics.policy_loss, policy, 1e-5 * (1 + std::abs(policy)));
            EXPECT_NEAR(closed.diagnostics.value_loss, value, 1e-5 * (1 + value));
            EXPECT_NEAR(closed.diagnostics.entropy, loss.entropy.item<double>(), 1e-5);
          }
}

TEST(ActorCriticLossTest, LogProbsAreTheTorchTwins) {
  Random random(8);
  for (const bool own_log_std : {false, true}) {
    const Heads heads = RandomHeads(ContinuousActions(3), 9, random, own_log_std);
    const torch::Tensor actions = RandomActions(ContinuousActions(3), 9, random);
    torch::Tensor log_probs = torch::empty({9});
    ActionLogProbs(heads, actions, log_probs);
    ExpectClose(log_probs, LogProb(heads, actions), "log probs");
  }
}

TEST(ActorCriticLossTest, BuffersAreReusedForTheNextBatch) {
  Random random(4);
  ActorCriticHeadGradient reused;
  for (const int64_t steps : {9, 9, 4}) {
    const Heads heads = RandomHeads(ContinuousActions(2), steps, random);
    const ActorCriticTargets targets = RandomTargets(ContinuousActions(2), heads, random);
    ActorCriticHeadGradient fresh;
    ComputeActorCriticGradient(heads, targets, {}, reused);
    ComputeActorCriticGradient(heads, targets, {}, fresh);
    EXPECT_TRUE(torch::equal(reused.gradient.policy, fresh.gradient.policy));
    EXPECT_TRUE(torch::equal(reused.gradient.value, fresh.gradient.value));
    EXPECT_TRUE(torch::equal(reused.gradient.log_std, fresh.gradient.log_std));
  }
}

TEST(ActorCriticLossTest, ActionLogProbsAreThoseOfTheDistributions) {
  Random random(5);
  for (const ActionSpace& action : {DiscreteActions(4), ContinuousActions(3)}) {
    const Heads heads = RandomHeads(action, 11, random);
    const torch::Tensor actions = RandomTargets(action, heads, random).actions;
    torch::Tensor out = torch::empty({11});
    ActionLogProbs(heads, actions, out);
    ExpectClose(out, LogProb(heads, actions), action.discrete() ? "discrete" : "continuous");
  }
}

}  // namespace
}  // namespace cadre
