#include "learner/algorithms/value_based/dqn.h"

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "policy/networks/off_policy_network.h"
#include "tests/learner/algorithms/example_transitions.h"

namespace cadre {
namespace {

using testing::HasSubstr;

constexpr int64_t kObservation = 4, kActions = 3, kItems = 16;

DqnConfig ExampleConfig() {
  DqnConfig config;
  config.set_learning_rate(1e-2);
  config.set_target_update_interval(3);
  return config;
}

std::unique_ptr<OffPolicyAlgorithm> ExampleDqn(const DqnConfig& config, bool graph = false,
                                               uint64_t seed = 1) {
  auto dqn =
      MakeDqn(config, ReplayConfig(), MlpModelConfig({13, 9}, RELU), VectorSpace(kObservation),
              DiscreteActions(kActions), Random(seed), {.tensor_operations = graph});
  CADRE_CHECK(dqn.ok());
  return *std::move(dqn);
}

OffPolicyBatch Batch(Random& random) {
  return ExampleTransitions(kItems, kObservation, kActions, random);
}

// Updates on batches that depend on the seed alone; returns the last one's priorities.
std::vector<float> Train(OffPolicyAlgorithm& dqn, int updates, uint64_t seed = 2) {
  Random random(seed);
  std::vector<float> priorities(kItems);
  for (int i = 0; i < updates; ++i)
    EXPECT_TRUE(dqn.Update(Batch(random), 0, absl::MakeSpan(priorities)).ok());
  return priorities;
}

std::vector<float> Acting(OffPolicyAlgorithm& dqn) {
  const absl::Span<float> flat = Flat(dqn.acting_parameters());
  return {flat.begin(), flat.end()};
}

std::vector<float> Target(OffPolicyAlgorithm& dqn) {
  TensorMap state;
  dqn.Save(state);
  std::vector<float> target(dqn.acting_layout().size());
  CADRE_CHECK(state.Read("dqn.target", absl::MakeSpan(target)).ok());
  return target;
}

std::map<std::string, double> Report(const OffPolicyAlgorithm& dqn) {
  const Diagnostics diagnostics = dqn.diagnostics();
  return {diagnostics.begin(), diagnostics.end()};
}

// q(s, a) of every item by a plain forward pass of the plain network.
std::vector<double> NaiveValues(OffPolicyAlgorithm& dqn, const torch::Tensor& observations) {
  const auto network = MakeActionValueNetwork(MlpModelConfig({13, 9}, RELU), {},
                                              VectorSpace(kObservation), DiscreteActions(kActions));
  const std::vector<float> parameters = Acting(dqn);
  const std::vector<double> wide(parameters.begin(), parameters.end());
  std::vector<double> values;
  for (int64_t b = 0; b < observations.size(0); ++b) {
    const absl::Span<float> row = RowOf(Flat(observations), b, kObservation);
    for (const double q : NaiveHead(network->network, 0, wide, {{row.begin(), row.end()}}))
      values.push_back(q);
  }
  return values;
}

TEST(DqnTest, TheTargetNetworkIsCopiedAtTheIntervalAndStaysBetween) {
  auto dqn = ExampleDqn(ExampleConfig());
  const std::vector<float> initial = Acting(*dqn);
  EXPECT_EQ(Target(*dqn), initial) << "it starts as a copy";
  Random random(2);
  std::vector<float> copied = initial;
  for (int update = 1; update <= 7; ++update) {
    EXPECT_TRUE(dqn->Update(Batch(random), 0, {}).ok());
    ASSERT_NE(Acting(*dqn), copied);
    if (update % 3 == 0) copied = Acting(*dqn);
    ASSERT_EQ(Target(*dqn), copied) << "after update " << update;
  }
}

TEST(DqnTest, APolyakTargetTakesItsShareEachTime) {
  DqnConfig config = ExampleConfig();
  config.set_target_update_interval(2);
  config.set_target_update_rate(0.25);
  auto dqn = ExampleDqn(config);
  std::vector<float> wanted = Acting(*dqn);
  Random random(2);
  for (int update = 1; update <= 4; ++update) {
    EXPECT_TRUE(dqn->Update(Batch(random), 0, {}).ok());
    const std::vector<float> online = Acting(*dqn), target = Target(*dqn);
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (update % 2 == 0) wanted[i] += 0.25f * (online[i] - wanted[i]);
      ASSERT_NEAR(target[i], wanted[i], 1e-6) << "after update " << update;
    }
  }
}

TEST(DqnTest, PrioritiesAreTheAbsoluteErrorsBeforeTheStep) {
  auto dqn = ExampleDqn(ExampleConfig());
  Random random(3);
  const OffPolicyBatch batch = Batch(random);
  const std::vector<double> q = NaiveValues(*dqn, batch.observations.only());
  const std::vector<double> next = NaiveValues(*dqn, batch.next_observations.only());
  std::vector<float> priorities(kItems);
  EXPECT_TRUE(dqn->Update(batch, 0, absl::MakeSpan(priorities)).ok());
  double mean = 0, mean_square = 0, mean_target = 0;
  for (int64_t b = 0; b < kItems; ++b) {
    const auto row = next.begin() + b * kActions;
    const double target =
        Flat(batch.rewards)[b] + Flat(batch.discounts)[b] * *std::max_element(row, row + kActions);
    const double error = q[b * kActions + Flat<int64_t>(batch.actions)[b]] - target;
    ASSERT_NEAR(priorities[b], std::abs(error), 1e-5);
    mean += std::abs(error) / kItems;
    mean_square += error * error / kItems;
    mean_target += target / kItems;
  }
  EXPECT_NEAR(Report(*dqn)["error"], mean, 1e-5);
  EXPECT_NEAR(Report(*dqn)["value_loss"], mean_square, 1e-5);
  EXPECT_NEAR(Report(*dqn)["target_value"], mean_target, 1e-5);
}

TEST(DqnTest, TheFirstStepIsAdamsAlongTheGradient) {
  // Adam's first step is learning_rate * g / (|g| + epsilon).
  auto dqn = ExampleDqn(ExampleConfig());
  const std::vector<float> before = Acting(*dqn);
  Train(*dqn, 1);
  const std::vector<float> after = Acting(*dqn);
  int moved = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    const double step = std::abs(after[i] - before[i]);
    ASSERT_LT(step, 1.001e-2);
    moved += step > 0.99e-2;
  }
  EXPECT_GT(moved, before.size() / 2);
}

TEST(DqnTest, AnItemWithoutWeightTeachesNothing) {
  Random random(4);
  OffPolicyBatch batch = Batch(random);
  Flat(batch.weights)[5] = 0;
  auto one = ExampleDqn(ExampleConfig()), other = ExampleDqn(ExampleConfig());
  EXPECT_TRUE(one->Update(batch, 0, {}).ok());
  Flat(batch.rewards)[5] += 1000;
  EXPECT_TRUE(other->Update(batch, 0, {}).ok());
  EXPECT_EQ(Acting(*one), Acting(*other));
  Flat(batch.weights)[5] = 1;
  auto third = ExampleDqn(ExampleConfig());
  EXPECT_TRUE(third->Update(batch, 0, {}).ok());
  EXPECT_NE(Acting(*one), Acting(*third));
}

TEST(DqnTest, DoubleQTakesTheTargetOfTheOnlineNetworksAction) {
  // As long as both networks are equal, so are both kinds; afterwards they part.
  DqnConfig plain = ExampleConfig(), twice = ExampleConfig();
  plain.set_target_update_interval(1000);
  twice.set_target_update_interval(1000);
  twice.set_double_q(true);
  auto one = ExampleDqn(plain), other = ExampleDqn(twice);
  EXPECT_EQ(Train(*one, 1), Train(*other, 1));
  EXPECT_EQ(Acting(*one), Acting(*other));
  Train(*one, 30);
  Train(*other, 30);
  // The largest target value is no smaller than that of any other action.
  EXPECT_GT(Report(*one)["target_value"], Report(*other)["target_value"]);
}

TEST(DqnTest, TheLearningRateFallsToZeroWhereItIsScheduled) {
  DqnConfig config = ExampleConfig();
  config.mutable_learning_rate_schedule()->set_shape(ScheduleConfig::LINEAR);
  auto dqn = ExampleDqn(config);
  Random random(5);
  EXPECT_TRUE(dqn->Update(Batch(random), 0.25, {}).ok());
  EXPECT_DOUBLE_EQ(Report(*dqn)["learning_rate"], 0.75e-2);
  const std::vector<float> before = Acting(*dqn);
  EXPECT_TRUE(dqn->Update(Batch(random), 1, {}).ok());
  EXPECT_EQ(Acting(*dqn), before);
  config.clear_learning_rate_schedule();
  auto constant = ExampleDqn(config);
  EXPECT_TRUE(constant->Update(Batch(random), 1, {}).ok());
  EXPECT_DOUBLE_EQ(Report(*constant)["learning_rate"], 1e-2);
}

TEST(DqnTest, AGradientThatIsTooLongIsScaledToTheBound) {
  DqnConfig config = ExampleConfig();
  config.set_adam_epsilon(1);  // So large that Adam's step is nearly proportional.
  const auto first_moment = [&] {
    auto dqn = ExampleDqn(config);
    Train(*dqn, 1);
    TensorMap state;
    dqn->Save(state);
    std::vector<float> m(dqn->acting_layout().size());
    CADRE_CHECK(state.Read("adam.m", absl::MakeSpan(m)).ok());
    double squares = 0;
    for (const float x : m) squares += static_cast<double>(x) * x;
    return std::make_pair(std::sqrt(squares) / 0.1, Report(*dqn)["gradient_norm"]);
  };
  const auto [free, norm] = first_moment();
  EXPECT_NEAR(free, norm, 1e-4 * norm);
  config.set_max_gradient_norm(norm / 2);
  EXPECT_NEAR(first_moment().first, norm / 2, 1e-4 * norm);
  EXPECT_NEAR(first_moment().second, norm, 1e-9) << "reported before clipping";
  config.set_max_gradient_norm(norm * 2);
  EXPECT_NEAR(first_moment().first, norm, 1e-4 * norm);
}

TEST(DqnTest, WithoutAnUpdateThereIsNothingToReport) {
  EXPECT_TRUE(ExampleDqn(ExampleConfig())->diagnostics().empty());
}

TEST(DqnTest, ContinuousActionsAreRefused) {
  const auto dqn = MakeDqn({}, {}, {}, VectorSpace(3), ContinuousActions(2), Random(1), {});
  EXPECT_EQ(dqn.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(dqn.status().message()), HasSubstr("discrete"));
}

TEST(DqnTest, RestoringFromAStateWithoutTheTargetIsDataLoss) {
  auto dqn = ExampleDqn(ExampleConfig());
  TensorMap state, partial;
  dqn->Save(state);
  for (const NamedTensor& tensor : state.tensors())
    if (tensor.name != "dqn.target") partial.Add(tensor);
  EXPECT_TRUE(dqn->Restore(state).ok());
  const absl::Status status = dqn->Restore(partial);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("dqn.target"));
}

struct Switches {
  std::string name;
  std::function<void(DqnConfig&)> set;
};

class DqnSwitchesTest : public testing::TestWithParam<Switches> {
 protected:
  void SetUp() override { GetParam().set(config_); }
  DqnConfig config_ = ExampleConfig();
};

void Distributional(DqnConfig& config) {
  config.mutable_distributional()->set_atoms(11);
  config.mutable_distributional()->set_min_value(-3);
  config.mutable_distributional()->set_max_value(3);
}

INSTANTIATE_TEST_SUITE_P(
    All, DqnSwitchesTest,
    testing::Values(Switches{"Plain", [](DqnConfig&) {}},
                    Switches{"Double", [](DqnConfig& c) { c.set_double_q(true); }},
                    Switches{"Dueling", [](DqnConfig& c) { c.set_dueling(true); }},
                    Switches{"Huber", [](DqnConfig& c) { c.set_loss(DqnConfig::HUBER); }},
                    Switches{"Polyak", [](DqnConfig& c) { c.set_target_update_rate(0.1); }},
                    Switches{"Clipped", [](DqnConfig& c) { c.set_max_gradient_norm(0.1); }},
                    Switches{"Distributional", Distributional},
                    Switches{"Everything",
                             [](DqnConfig& c) {
                               Distributional(c);
                               c.set_double_q(true);
                               c.set_dueling(true);
                               c.set_target_update_rate(0.1);
                               c.set_max_gradient_norm(1);
                             }}),
    [](const auto& info) { return info.param.name; });

// The closed forms on kernels against autograd, through several target updates.
TEST_P(DqnSwitchesTest, LearnsTheSameAsWithAutograd) {
  config_.set_adam_epsilon(1e-3);  // Rounding does not decide the sign of a step.
  auto closed = ExampleDqn(config_), autograd = ExampleDqn(config_, /*graph=*/true);
  ASSERT_EQ(Acting(*closed), Acting(*autograd));
  const std::vector<float> initial = Acting(*closed);
  for (int round = 0; round < 4; ++round) {
    const std::vector<float> priorities = Train(*closed, 2, round);
    const std::vector<float> wanted = Train(*autograd, 2, round);
    for (int64_t b = 0; b < kItems; ++b)
      ASSERT_NEAR(priorities[b], wanted[b], 1e-3 * (1 + wanted[b])) << "round " << round;
    for (const auto& [name, value] : Report(*autograd))
      ASSERT_NEAR(Report(*closed)[name], value, 1e-3 * (1 + std::abs(value))) << name;
  }
  const std::vector<float> got = Acting(*closed), wanted = Acting(*autograd);
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], 1e-3);
  EXPECT_NE(got, initial);
}

TEST_P(DqnSwitchesTest, ContinuesBitForBitFromWhatWasSaved) {
  for (const bool autograd : {false, true}) {
    auto dqn = ExampleDqn(config_, autograd), other = ExampleDqn(config_, autograd, /*seed=*/99);
    Train(*dqn, 4);
    TensorMap state;
    dqn->Save(state);
    ASSERT_TRUE(other->Restore(state).ok());
    other->acting_parameters().copy_(dqn->acting_parameters());
    other->ActingParametersChanged();
    EXPECT_EQ(Train(*dqn, 4, 5), Train(*other, 4, 5));
    EXPECT_EQ(Acting(*dqn), Acting(*other));
    EXPECT_EQ(Target(*dqn), Target(*other));
  }
}

// A walk along five states, of which the right end pays 1 and ends it: the value of going
// right from state s is gamma^(4 - s), and going left from state 0 stays there.
TEST_P(DqnSwitchesTest, SolvesAChain) {
  constexpr int64_t kStates = 5;
  constexpr double kGamma = 0.8;
  config_.set_target_update_interval(20);
  config_.set_target_update_rate(1);
  config_.set_learning_rate(5e-3);
  if (config_.max_gradient_norm() > 0) config_.set_max_gradient_norm(1);
  if (config_.has_distributional()) {
    config_.mutable_distributional()->set_min_value(0);
    config_.mutable_distributional()->set_max_value(1);
  }
  const torch::Tensor one_hot = torch::eye(kStates);
  for (const uint64_t seed : {1, 2, 3}) {
    auto made = MakeDqn(config_, ReplayConfig(), MlpModelConfig({24, 16}, RELU),
                        VectorSpace(kStates), DiscreteActions(2), Random(seed), {});
    ASSERT_TRUE(made.ok());
    OffPolicyAlgorithm& dqn = **made;
    Random random(seed);
    std::vector<int64_t> states(32), nexts(32), actions(32);
    for (int update = 0; update < 1500; ++update) {
      OffPolicyBatch batch;
      batch.rewards = torch::zeros({32});
      batch.discounts = torch::full({32}, kGamma);
      batch.weights = torch::ones({32});
      for (int b = 0; b < 32; ++b) {
        states[b] = static_cast<int64_t>(random.Below(kStates));
        actions[b] = static_cast<int64_t>(random.Below(2));
        nexts[b] = std::max<int64_t>(states[b] + (actions[b] == 1 ? 1 : -1), 0);
        if (nexts[b] < kStates) continue;
        nexts[b] = 0;  // Whatever is there must not matter.
        Flat(batch.rewards)[b] = 1;
        Flat(batch.discounts)[b] = 0;
      }
      batch.actions = torch::tensor(actions, torch::kInt64);
      batch.observations = one_hot.index_select(0, torch::tensor(states, torch::kInt64));
      batch.next_observations = one_hot.index_select(0, torch::tensor(nexts, torch::kInt64));
      EXPECT_TRUE(dqn.Update(batch, 0, {}).ok());
    }
    // With a reward of q and a terminal state, an item's error is what it is off q.
    for (int64_t s = 0; s < kStates; ++s) {
      for (const int64_t action : {0, 1}) {
        const int64_t after = action == 1 ? s + 1 : std::max<int64_t>(s - 1, 0);
        const double value = std::pow(kGamma, kStates - after);
        OffPolicyBatch probe;
        probe.observations = probe.next_observations = one_hot.narrow(0, s, 1).clone();
        probe.actions = torch::tensor(std::vector<int64_t>{action}, torch::kInt64);
        probe.rewards = torch::full({1}, value);
        probe.discounts = probe.weights = torch::zeros({1});
        float error = 0;
        EXPECT_TRUE(dqn.Update(probe, 0, absl::MakeSpan(&error, 1)).ok());
        if (!config_.has_distributional())
          EXPECT_NEAR(error, 0, 0.06)
              << "seed " << seed << ", state " << s << ", action " << action;
        else  // KL to the projected value: small where the distribution is about it.
          EXPECT_LT(error, 0.3) << "seed " << seed << ", state " << s << ", action " << action;
      }
    }
  }
}

}  // namespace
}  // namespace cadre
