#include "learner/algorithms/actor_critic/ddpg.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/actor_critic_example.h"

namespace cadre {
namespace {

const ActionSpace kActions = BoundedActions({-2, 0}, {2, 3});
constexpr int64_t kObservationSize = 3;

DdpgConfig ExampleConfig() {
  DdpgConfig config;
  config.set_policy_learning_rate(3e-3);
  config.set_value_learning_rate(1e-2);
  config.set_target_update_rate(0.1);
  config.set_adam_epsilon(1e-2);  // Steps that tiny gradients do not turn around.
  return config;
}

std::unique_ptr<OffPolicyAlgorithm> ExampleDdpg(uint64_t seed) {
  auto ddpg = MakeDdpg(ExampleConfig(), MlpModelConfig({7, 5}), VectorSpace(kObservationSize),
                       kActions, Random(seed), {});
  CADRE_CHECK(ddpg.ok());
  return *std::move(ddpg);
}

ContinuousPolicyNetwork Policy(const ModelConfig& model, int64_t observation_size,
                               const ActionSpace& action) {
  auto network = MakeContinuousPolicy(model, false, VectorSpace(observation_size), action);
  CADRE_CHECK(network.ok());
  return *std::move(network);
}

// Algorithm 1 as one would write it down in a notebook.
class NotebookDdpg {
 public:
  explicit NotebookDdpg(OffPolicyAlgorithm& ddpg)
      : policy_(Policy(MlpModelConfig({7, 5}), kObservationSize, kActions).network,
                ddpg.acting_parameters(), ExampleConfig().policy_learning_rate(),
                ExampleConfig().adam_epsilon()),
        critic_(MakeCritics(MlpModelConfig({7, 5}), 1, VectorSpace(kObservationSize), kActions)
                    ->network,
                SavedFloats(ddpg, "critics.parameters"), ExampleConfig().value_learning_rate(),
                ExampleConfig().adam_epsilon()) {}

  void Update(const OffPolicyBatch& batch) {
    const auto wide = [](const torch::Tensor& t) { return t.to(torch::kFloat64); };
    const torch::Tensor s = wide(batch.observations.only()),
                        next = wide(batch.next_observations.only());
    const torch::Tensor low = wide(torch::tensor(kActions.low));
    const torch::Tensor high = wide(torch::tensor(kActions.high));
    const torch::Tensor a = 2 * (wide(batch.actions) - low) / (high - low) - 1;
    const torch::Tensor next_a = torch::tanh(policy_.RunTarget(0, next));
    const torch::Tensor y =
        wide(batch.rewards) +
        wide(batch.discounts) * critic_.RunTarget(0, torch::cat({next, next_a}, 1)).squeeze(1);
    const torch::Tensor q = critic_.Run(0, torch::cat({s, a}, 1)).squeeze(1);
    const torch::Tensor loss = (wide(batch.weights) * (q - y.detach()).square()).mean();
    errors = (q - y).abs().detach();
    mean_q = q.mean().item<double>();
    value_loss = loss.item<double>();
    value_gradient_norm = critic_.Descend(loss);
    const torch::Tensor policy_loss =
        -critic_.Run(0, torch::cat({s, torch::tanh(policy_.Run(0, s))}, 1)).mean();
    this->policy_loss = policy_loss.item<double>();
    policy_gradient_norm = policy_.Descend(policy_loss);
    policy_.MoveTarget(ExampleConfig().target_update_rate());
    critic_.MoveTarget(ExampleConfig().target_update_rate());
  }

  torch::Tensor errors;
  double mean_q = 0, value_loss = 0, policy_loss = 0;
  double value_gradient_norm = 0, policy_gradient_norm = 0;
  Notebook policy_, critic_;
};

TEST(DdpgTest, IsTheNotebooksAlgorithm) {
  const auto ddpg = ExampleDdpg(1);
  NotebookDdpg notebook(*ddpg);
  Random random(2);
  for (int i = 0; i < 5; ++i) {
    const OffPolicyBatch batch = TransitionsIn(kActions, 9 + i, kObservationSize, random);
    std::vector<float> priorities(batch.size(), -1);
    EXPECT_TRUE(ddpg->Update(batch, 0, absl::MakeSpan(priorities)).ok());
    notebook.Update(batch);
    ExpectClose(torch::tensor(priorities), notebook.errors, "priorities");
    EXPECT_NEAR(Diagnostic(*ddpg, "policy_loss"), notebook.policy_loss, 1e-5);
    EXPECT_NEAR(Diagnostic(*ddpg, "value_loss"), notebook.value_loss, 1e-5);
    EXPECT_NEAR(Diagnostic(*ddpg, "mean_q"), notebook.mean_q, 1e-5);
    EXPECT_NEAR(Diagnostic(*ddpg, "policy_gradient_norm"), notebook.policy_gradient_norm, 1e-5);
    EXPECT_NEAR(Diagnostic(*ddpg, "value_gradient_norm"), notebook.value_gradient_norm, 1e-5);
  }
  ExpectClose(ddpg->acting_parameters(), notebook.policy_.online(), "policy");
  ExpectClose(SavedFloats(*ddpg, "critics.parameters"), notebook.critic_.online(), "critic");
  ExpectClose(SavedFloats(*ddpg, "policy.target"), notebook.policy_.target(), "policy's target");
  ExpectClose(SavedFloats(*ddpg, "critics.target"), notebook.critic_.target(), "critic's target");
}

TEST(DdpgTest, TargetsMoveByPolyakExactly) {
  const auto ddpg = ExampleDdpg(1);
  const torch::Tensor policy_before = SavedFloats(*ddpg, "policy.target");
  const torch::Tensor critic_before = SavedFloats(*ddpg, "critics.target");
  Train(*ddpg, 1, kActions, 3);
  const torch::Tensor policy = ddpg->acting_parameters();
  const torch::Tensor critic = SavedFloats(*ddpg, "critics.parameters");
  EXPECT_FALSE(torch::equal(policy, policy_before));
  EXPECT_FALSE(torch::equal(critic, critic_before));
  EXPECT_TRUE(torch::equal(SavedFloats(*ddpg, "policy.target"),
                           policy * 0.1f + policy_before * (1.0f - 0.1f)));
  EXPECT_TRUE(torch::equal(SavedFloats(*ddpg, "critics.target"),
                           critic * 0.1f + critic_before * (1.0f - 0.1f)));
}

TEST(DdpgTest, TerminalStatesAreWorthNothing) {
  const auto ddpg = ExampleDdpg(1);
  const auto other = ExampleDdpg(1);
  Random random(4);
  OffPolicyBatch batch = TransitionsIn(kActions, 8, kObservationSize, random);
  batch.discounts.zero_();
  EXPECT_TRUE(ddpg->Update(batch, 0, {}).ok());
  batch.next_observations.columns[0].mul_(-3);
  EXPECT_TRUE(other->Update(batch, 0, {}).ok());
  EXPECT_TRUE(torch::equal(ddpg->acting_parameters(), other->acting_parameters()));
}

TEST(DdpgTest, ValuesOfAConstantRewardReachItsDiscountedSum) {
  const auto ddpg = ExampleDdpg(1);
  Random random(5);
  for (int i = 0; i < 1000; ++i) {
    OffPolicyBatch batch = TransitionsIn(kActions, 16, kObservationSize, random);
    batch.rewards.fill_(1);
    batch.discounts.fill_(0.5);
    EXPECT_TRUE(ddpg->Update(batch, 0, {}).ok());
  }
  EXPECT_NEAR(Diagnostic(*ddpg, "mean_q"), 2, 0.05);
}

TEST(DdpgTest, FindsTheBestActionOfABandit) {
  const auto best = [](double s) { return 1 + 0.8 * s; };
  const ActionSpace action = BoundedActions({-2}, {4});
  const ModelConfig model = MlpModelConfig({32, 32});
  for (const uint64_t seed : {1, 2, 3}) {
    auto ddpg = MakeDdpg({}, model, VectorSpace(1), action, Random(seed), {});
    ASSERT_TRUE(ddpg.ok());
    Random random(100 + seed);
    for (int i = 0; i < 2000; ++i)
      EXPECT_TRUE((*ddpg)->Update(BanditBatch(64, action, best, random), 0, {}).ok());
    for (const double s : {-0.8, 0.0, 0.8})
      EXPECT_NEAR(GreedyAction(**ddpg, Policy(model, 1, action), s), best(s), 0.35)
          << "seed " << seed << ", s " << s;
  }
}

TEST(DdpgTest, RestoreContinuesBitForBit) { ExpectRestoreContinues(ExampleDdpg, kActions); }

TEST(DdpgTest, MissingStateIsDataLoss) { ExpectMissingTensorsAreDataLoss(ExampleDdpg); }

TEST(DdpgTest, DiagnosticsHaveTheirNamesBeforeTheFirstUpdate) {
  const auto ddpg = ExampleDdpg(1);
  const Diagnostics before = ddpg->diagnostics();
  Train(*ddpg, 1, kActions, 3);
  const Diagnostics after = ddpg->diagnostics();
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(before[i].first, after[i].first);
    EXPECT_TRUE(std::isfinite(after[i].second)) << after[i].first;
  }
}

TEST(DdpgTest, RefusesActionsThatItCannotScale) {
  const ModelConfig model = MlpModelConfig({4});
  const auto status = [&](const ActionSpace& action) {
    return MakeDdpg({}, model, VectorSpace(2), action, Random(1), {}).status();
  };
  EXPECT_TRUE(absl::IsInvalidArgument(status(DiscreteActions(3))));
  EXPECT_TRUE(absl::IsInvalidArgument(status(BoundedActions({-1, 0}, {1, INFINITY}))));
  EXPECT_TRUE(absl::IsInvalidArgument(status(BoundedActions({1}, {1}))));
  EXPECT_TRUE(status(BoundedActions({-1}, {5})).ok());
}

}  // namespace
}  // namespace cadre
