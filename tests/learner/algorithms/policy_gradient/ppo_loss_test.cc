// The PPO loss by hand, and its two gradients against each other.
#include "learner/algorithms/policy_gradient/ppo_loss.h"

#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

torch::Tensor Floats(const std::vector<float>& values) { return torch::tensor(values); }

PpoCoefficients Coefficients(double kl_beta = 0) {
  return {.clip_range = torch::scalar_tensor(0.2, torch::kFloat64),
          .kl_beta = torch::scalar_tensor(kl_beta, torch::kFloat64)};
}

float Number(const PpoGradient& gradient, PpoNumber number) {
  return gradient.numbers[number].item<float>();
}

// One step of a two-action policy with these logits.
struct OneStep {
  OneStep(const std::vector<float>& logits, int64_t action, double old_probability,
          float advantage) {
    heads.policy = Floats(logits).view({1, 2});
    heads.value = Floats({0});
    batch.actions = torch::tensor(std::vector<int64_t>{action}, torch::kInt64);
    batch.log_probs = Floats({static_cast<float>(std::log(old_probability))});
    batch.advantages = Floats({advantage});
    batch.returns = Floats({0});
    batch.values = Floats({0});
    coefficients = Coefficients();
  }
  const PpoGradient& ClosedForm() {
    ComputePpoGradient(heads, batch, coefficients, /*fast=*/true, out);
    return out;
  }
  Heads heads;
  PpoMinibatch batch;
  PpoCoefficients coefficients;
  PpoGradient out;
};

TEST(PpoLossTest, ByHandInsideTheClipRange) {
  OneStep step({0, 0}, 0, 0.5, 2);  // Ratio 1.
  step.heads.value = Floats({3});
  step.batch.returns = Floats({1});
  step.coefficients.value = 0.5;
  step.coefficients.entropy = 0.1;
  const PpoGradient& out = step.ClosedForm();
  EXPECT_FLOAT_EQ(Number(out, kPolicyLoss), -2);
  EXPECT_FLOAT_EQ(Number(out, kValueLoss), 4);
  EXPECT_FLOAT_EQ(Number(out, kEntropy), std::log(2.0f));
  EXPECT_NEAR(Number(out, kApproxKl), 0, 1e-7);
  EXPECT_EQ(Number(out, kClipFraction), 0);
  EXPECT_NEAR(out.gradient.policy[0][0].item<float>(), -1, 1e-6);
  EXPECT_NEAR(out.gradient.policy[0][1].item<float>(), 1, 1e-6);
  EXPECT_FLOAT_EQ(out.gradient.value[0].item<float>(), 2);  // 0.5 * 2 * (3 - 1)
}

TEST(PpoLossTest, ByHandOutsideTheClipRangeOnTheSteepSide) {
  OneStep step({std::log(3.0f), 0}, 1, 0.2, -1);  // Probability 0.25, ratio 1.25.
  const PpoGradient& out = step.ClosedForm();
  EXPECT_FLOAT_EQ(Number(out, kPolicyLoss), 1.25);  // max(1.25, 1.2): the pessimistic one.
  EXPECT_EQ(Number(out, kClipFraction), 1);
  EXPECT_NEAR(Number(out, kApproxKl), 0.25 - std::log(1.25), 1e-6);
  EXPECT_NEAR(out.gradient.policy[0][0].item<float>(), -1.25 * 0.75, 1e-6);
  EXPECT_NEAR(out.gradient.policy[0][1].item<float>(), 1.25 * 0.75, 1e-6);
}

TEST(PpoLossTest, TheObjectiveIsFlatWhereTheRatioLeftInTheAdvantagesDirection) {
  struct Case {
    double ratio;
    float advantage;
    bool flat;
    double loss;
  };
  for (const Case& c : std::vector<Case>{{0.5, 1, false, -0.5},
                                         {0.5, -1, true, 0.8},
                                         {0.9, 1, false, -0.9},
                                         {0.9, -1, false, 0.9},
                                         {1.1, 1, false, -1.1},
                                         {1.1, -1, false, 1.1},
                                         {1.5, 1, true, -1.2},
                                         {1.5, -1, false, 1.5}}) {
    OneStep step({0, 0}, 0, 0.5 / c.ratio, c.advantage);
    const PpoGradient& out = step.ClosedForm();
    EXPECT_NEAR(Number(out, kPolicyLoss), c.loss, 1e-6) << c.ratio << ", " << c.advantage;
    const double slope = c.flat ? 0 : -c.advantage * c.ratio * 0.5;
    EXPECT_NEAR(out.gradient.policy[0][0].item<float>(), slope, 1e-6)
        << c.ratio << ", " << c.advantage;
  }
}

TEST(PpoLossTest, ValueClippingByHand) {
  struct Case {
    float value, target;
    double loss, slope;
  };
  // From 1, by at most 0.5.
  for (const Case& c : std::vector<Case>{{2, 0, 4, 2 * 2},  // Worse than the clipped: itself.
                                         {2, 3, 2.25, 0},   // The clipped 1.5 is worse: flat.
                                         {1.25f, 3, 3.0625, -3.5},  // Inside.
                                         {0, -2, 6.25, 0}}) {       // Below: the clipped 0.5.
    OneStep step({0, 0}, 0, 0.5, 0);
    step.heads.value = Floats({c.value});
    step.batch.values = Floats({1});
    step.batch.returns = Floats({c.target});
    step.coefficients.value = 1;
    step.coefficients.value_clip_range = 0.5;
    const PpoGradient& out = step.ClosedForm();
    EXPECT_FLOAT_EQ(Number(out, kValueLoss), c.loss) << c.value << " for " << c.target;
    EXPECT_FLOAT_EQ(out.gradient.value[0].item<float>(), c.slope) << c.value << " for " << c.target;
  }
}

TEST(PpoLossTest, AValueThatMovedByLittleIsNotTakenForClipped) {
  // 1e-9 - 0.1 + 0.1 is not 1e-9 in any floating point.
  OneStep step({0, 0}, 0, 0.5, 0);
  step.heads.value = Floats({1e-9f});
  step.batch.values = Floats({0.1f});
  step.coefficients.value = 1;
  step.coefficients.value_clip_range = 0.2;
  for (const float target : {-1.0f, 1.0f}) {
    step.batch.returns = Floats({target});
    EXPECT_FLOAT_EQ(step.ClosedForm().gradient.value[0].item<float>(), -2 * target);
  }
}

TEST(PpoLossTest, GaussianByHand) {
  OneStep step({0, 0}, 0, 1, 2);
  step.heads.policy = Floats({0}).view({1, 1});
  step.heads.log_std = Floats({std::log(2.0f)});
  step.batch.actions = Floats({6}).view({1, 1});  // z = 3.
  step.batch.log_probs = GaussianLogProb(step.heads.policy, step.heads.log_std, step.batch.actions);
  step.coefficients.entropy = 0.25;
  const PpoGradient& out = step.ClosedForm();
  EXPECT_FLOAT_EQ(out.gradient.policy[0][0].item<float>(), -2 * 3 / 2.0f);
  EXPECT_FLOAT_EQ(out.gradient.log_std[0].item<float>(), -2 * (9 - 1) - 0.25f);
  EXPECT_FLOAT_EQ(Number(out, kEntropy), 0.5 + std::log(2) + 0.5 * std::log(2 * M_PI));
}

// B steps with ratios and values on both sides of their clip ranges.
PpoMinibatch ExampleMinibatch(const Heads& heads, const ActorCriticNetwork& network,
                              Random& random) {
  const int64_t steps = heads.policy.size(0);
  PpoMinibatch batch;
  batch.actions = RandomActions(network.action, steps, random);
  const double ratios[] = {0.3, 0.7, 0.85, 0.95, 1.0, 1.05, 1.15, 1.3, 2.5};
  std::vector<float> log_ratios;
  for (int64_t i = 0; i < steps; ++i)
    log_ratios.push_back(static_cast<float>(std::log(ratios[random.Below(9)])));
  batch.log_probs = LogProb(heads, batch.actions) - Floats(log_ratios);
  batch.advantages = RandomTensor({steps}, random);
  if (steps == 7) batch.weights = RandomTensor({steps}, random).abs();
  batch.values = heads.value + RandomTensor({steps}, random, 0.3);
  batch.returns = heads.value + RandomTensor({steps}, random);
  batch.old_policy = heads.policy + RandomTensor(heads.policy.sizes().vec(), random, 0.5);
  if (heads.log_std.defined())
    batch.old_log_std = heads.log_std + RandomTensor(heads.log_std.sizes().vec(), random, 0.2);
  return batch;
}

void ExpectClose(const torch::Tensor& got, const torch::Tensor& wanted, const std::string& what) {
  const double scale = wanted.abs().max().item<double>();
  EXPECT_LE((got - wanted).abs().max().item<double>(), 1e-5 * scale + 1e-7) << what;
}

TEST(PpoLossTest, TheClosedFormIsTheGradientOfTheLoss) {
  Random random(3);
  for (const ActionSpace& action :
       {DiscreteActions(2), DiscreteActions(7), ContinuousActions(1), ContinuousActions(3)})
    for (const PpoConfig::Objective objective : {PpoConfig::CLIPPED, PpoConfig::ADAPTIVE_KL})
      for (const double value_clip_range : {0.0, 0.2})
        for (const double entropy : {0.0, 0.03})
          for (const int64_t steps : {1, 7, 200})
            for (const bool own_log_std : {false, true}) {
              if (action.discrete() && own_log_std) continue;
              const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({3}), 2, action);
              Heads heads;
              heads.policy = RandomTensor({steps, network.policy_outputs}, random);
              heads.value = RandomTensor({steps}, random);
              if (!network.discrete())
                heads.log_std = own_log_std
                                    ? RandomTensor({steps, network.policy_outputs}, random, 0.4)
                                    : RandomTensor({network.policy_outputs}, random, 0.4);
              const PpoMinibatch batch = ExampleMinibatch(heads, network, random);
              PpoCoefficients coefficients = Coefficients(1.7);
              coefficients.objective = objective;
              coefficients.value_clip_range = value_clip_range;
              coefficients.value = 0.7;
              coefficients.entropy = entropy;
              PpoGradient closed, autograd;
              ComputePpoGradient(heads, batch, coefficients, /*fast=*/true, closed);
              ComputePpoGradient(heads, batch, coefficients, /*fast=*/false, autograd);
              const std::string what = "objective " + std::to_string(objective) + ", value clip " +
                                       std::to_string(value_clip_range) + ", entropy " +
                                       std::to_string(entropy) + ", " + std::to_string(steps) +
                                       " steps of " + std::to_string(network.policy_outputs) +
                                       (own_log_std ? ", a deviation for each" : "");
              ExpectClose(closed.gradient.policy, autograd.gradient.policy, what);
              ExpectClose(closed.gradient.value, autograd.gradient.value, what);
              if (!network.discrete())
                ExpectClose(closed.gradient.log_std, autograd.gradient.log_std, what);
              for (int n = 0; n < kPpoNumbers; ++n) {
                const double wanted = autograd.numbers[n].item<double>();
                EXPECT_NEAR(closed.numbers[n].item<double>(), wanted, 1e-5 * (1 + std::abs(wanted)))
                    << what << ", number " << n;
              }
            }
}

TEST(PpoLossTest, AnActionThatWasNextToImpossibleLeavesTheGradientFinite) {
  Random random(6);
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
    const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({3}), 2, action);
    Heads heads{RandomTensor({4, network.policy_outputs}, random), RandomTensor({4}, random), {}};
    if (!network.discrete()) heads.log_std = RandomTensor({network.policy_outputs}, random, 0.4);
    PpoMinibatch batch = ExampleMinibatch(heads, network, random);
    // As decoupled PPO has it: of weight 0 under a policy that made it e^-1000 as likely.
    batch.log_probs = batch.log_probs - 1000;
    batch.weights = torch::zeros({4});
    batch.advantages = torch::zeros({4});
    for (const bool fast : {true, false}) {
      PpoGradient out;
      ComputePpoGradient(heads, batch, Coefficients(), fast, out);
      EXPECT_TRUE(out.gradient.policy.isfinite().all().item<bool>()) << "fast " << fast;
      EXPECT_TRUE(out.numbers.isfinite().all().item<bool>()) << out.numbers;
    }
  }
}

TEST(PpoLossTest, BuffersAreReusedForTheNextMinibatch) {
  Random random(4);
  const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({3}), 2, ContinuousActions(2));
  PpoGradient reused;
  for (const int64_t steps : {9, 9, 4}) {
    const Heads heads{RandomTensor({steps, 2}, random), RandomTensor({steps}, random),
                      RandomTensor({2}, random)};
    const PpoMinibatch batch = ExampleMinibatch(heads, network, random);
    PpoGradient fresh;
    ComputePpoGradient(heads, batch, Coefficients(), /*fast=*/true, reused);
    ComputePpoGradient(heads, batch, Coefficients(), /*fast=*/true, fresh);
    EXPECT_TRUE(torch::equal(reused.gradient.policy, fresh.gradient.policy));
    EXPECT_TRUE(torch::equal(reused.gradient.value, fresh.gradient.value));
    EXPECT_TRUE(torch::equal(reused.gradient.log_std, fresh.gradient.log_std));
    EXPECT_EQ(Number(reused, kPolicyLoss), Number(fresh, kPolicyLoss));
  }
}

TEST(PpoLossTest, RatioOneGivesPlainPolicyGradient) {
  // -mean(A grad log p), whatever the objective.
  Random random(5);
  for (const PpoConfig::Objective objective : {PpoConfig::CLIPPED, PpoConfig::ADAPTIVE_KL}) {
    const int64_t steps = 11;
    Heads heads{RandomTensor({steps, 4}, random), RandomTensor({steps}, random), {}};
    PpoMinibatch batch =
        ExampleMinibatch(heads, ExampleNetwork(MlpModelConfig({3}), 2, DiscreteActions(4)), random);
    batch.log_probs = CategoricalLogProb(heads.policy, batch.actions);
    batch.old_policy = heads.policy;
    PpoGradient out;
    PpoCoefficients coefficients = Coefficients(3);
    coefficients.objective = objective;
    ComputePpoGradient(heads, batch, coefficients, /*fast=*/true, out);
    for (int64_t i = 0; i < steps; ++i) {
      double sum = 0;
      for (int j = 0; j < 4; ++j) sum += std::exp(heads.policy[i][j].item<double>());
      for (int j = 0; j < 4; ++j) {
        const double p = std::exp(heads.policy[i][j].item<double>()) / sum;
        const double taken = batch.actions[i].item<int64_t>() == j;
        EXPECT_NEAR(out.gradient.policy[i][j].item<double>(),
                    -batch.advantages[i].item<double>() * (taken - p) / steps, 1e-6);
      }
    }
    EXPECT_EQ(Number(out, kClipFraction), 0);
    EXPECT_NEAR(Number(out, kExactKl), 0, 1e-6);
  }
}

}  // namespace
}  // namespace cadre
