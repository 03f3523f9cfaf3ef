#include "learner/algorithms/trust_region/surrogate.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

constexpr int64_t kSteps = 9;
constexpr double kEntropyCoefficient = 0.3;

// Heads in float64 and steps that an earlier policy took.
struct Example {
  explicit Example(const ActionSpace& action, uint64_t seed = 1) {
    Random random(seed);
    const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({3}), 2, action);
    heads.policy = RandomTensor({kSteps, network.policy_outputs}, random);
    if (!network.discrete()) heads.log_std = RandomTensor({network.policy_outputs}, random, 0.4);
    steps.actions = RandomActions(network.action, kSteps, random);
    steps.log_probs = LogProb(heads, steps.actions) + RandomTensor({kSteps}, random, 0.3);
    steps.advantages = RandomTensor({kSteps}, random);
    heads = InDouble(heads);
  }
  Heads heads;
  SurrogateSteps steps;
};

double At(const torch::Tensor& matrix, int64_t row, int64_t column) {
  return matrix[row][column].item<double>();
}

// log pi(a) and entropy of one row, by loops.
struct Row {
  double log_prob = 0, entropy = 0;
};

Row NaiveRow(const Heads& heads, const torch::Tensor& actions, int64_t i) {
  Row row;
  const int64_t width = heads.policy.size(1);
  if (heads.log_std.defined()) {
    for (int64_t a = 0; a < width; ++a) {
      const double log_std = heads.log_std[a].item<double>();
      const double z = (At(actions, i, a) - At(heads.policy, i, a)) / std::exp(log_std);
      row.log_prob += -0.5 * z * z - log_std - 0.5 * std::log(2 * M_PI);
      row.entropy += log_std + 0.5 * std::log(2 * M_PI * M_E);
    }
    return row;
  }
  double sum = 0;
  for (int64_t a = 0; a < width; ++a) sum += std::exp(At(heads.policy, i, a));
  for (int64_t a = 0; a < width; ++a) {
    const double log_p = At(heads.policy, i, a) - std::log(sum);
    row.entropy -= std::exp(log_p) * log_p;
    if (a == actions[i].item<int64_t>()) row.log_prob = log_p;
  }
  return row;
}

double NaiveSurrogate(const Heads& heads, const SurrogateSteps& steps) {
  double sum = 0;
  for (int64_t i = 0; i < kSteps; ++i) {
    const Row row = NaiveRow(heads, steps.actions, i);
    sum += std::exp(row.log_prob - steps.log_probs[i].item<double>()) *
               steps.advantages[i].item<double>() +
           kEntropyCoefficient * row.entropy;
  }
  return sum / kSteps;
}

const std::vector<ActionSpace>& Actions() {
  static const std::vector<ActionSpace> actions = {DiscreteActions(4), ContinuousActions(1),
                                                   ContinuousActions(3)};
  return actions;
}

TEST(SurrogateTest, IsTheNaiveLoops) {
  for (const ActionSpace& action : Actions()) {
    const Example example(action);
    const Surrogate surrogate = ComputeSurrogate(example.heads, example.steps, kEntropyCoefficient);
    EXPECT_NEAR(surrogate.total.item<double>(), NaiveSurrogate(example.heads, example.steps), 1e-6);
    double entropy = 0;
    for (int64_t i = 0; i < kSteps; ++i)
      entropy += NaiveRow(example.heads, example.steps.actions, i).entropy / kSteps;
    EXPECT_NEAR(surrogate.entropy.item<double>(), entropy, 1e-9);
  }
}

TEST(SurrogateTest, ItsGradientEqualsFiniteDifferencesOfTheNaiveLoop) {
  constexpr double kStep = 1e-6;
  for (const ActionSpace& action : Actions()) {
    const Example example(action);
    const Heads gradient = SurrogateGradient(example.heads, example.steps, kEntropyCoefficient);
    const auto difference = [&](const torch::Tensor& element) {
      torch::Tensor value = element;  // Looks into the heads.
      value.add_(kStep);
      const double above = NaiveSurrogate(example.heads, example.steps);
      value.sub_(2 * kStep);
      const double below = NaiveSurrogate(example.heads, example.steps);
      value.add_(kStep);
      return (above - below) / (2 * kStep);
    };
    for (int64_t i = 0; i < kSteps; ++i)
      for (int64_t a = 0; a < example.heads.policy.size(1); ++a)
        EXPECT_NEAR(At(gradient.policy, i, a), difference(example.heads.policy[i][a]), 1e-6);
    for (int64_t a = 0; example.heads.log_std.defined() && a < example.heads.log_std.size(0); ++a)
      EXPECT_NEAR(gradient.log_std[a].item<double>(), difference(example.heads.log_std[a]), 1e-6);
  }
}

TEST(SurrogateTest, TheDivergenceIsTheOldPolicysFromTheNew) {
  const Example old_discrete(DiscreteActions(4), 1), discrete(DiscreteActions(4), 2);
  double expected = 0;
  for (int64_t i = 0; i < kSteps; ++i) {
    for (int64_t a = 0; a < 4; ++a) {
      const torch::Tensor action = torch::full({kSteps}, a, torch::kInt64);
      const double old_log_p = NaiveRow(old_discrete.heads, action, i).log_prob;
      const double log_p = NaiveRow(discrete.heads, action, i).log_prob;
      expected += std::exp(old_log_p) * (old_log_p - log_p) / kSteps;
    }
  }
  EXPECT_NEAR(MeanKl(old_discrete.heads, discrete.heads).item<double>(), expected, 1e-9);

  const Example old_gaussian(ContinuousActions(2), 1), gaussian(ContinuousActions(2), 2);
  expected = 0;
  for (int64_t i = 0; i < kSteps; ++i) {
    for (int64_t a = 0; a < 2; ++a) {
      const double old_std = std::exp(old_gaussian.heads.log_std[a].item<double>());
      const double std = std::exp(gaussian.heads.log_std[a].item<double>());
      const double shift = At(old_gaussian.heads.policy, i, a) - At(gaussian.heads.policy, i, a);
      expected +=
          (std::log(std / old_std) + (old_std * old_std + shift * shift) / (2 * std * std) - 0.5) /
          kSteps;
    }
  }
  EXPECT_NEAR(MeanKl(old_gaussian.heads, gaussian.heads).item<double>(), expected, 1e-9);
}

}  // namespace
}  // namespace cadre
