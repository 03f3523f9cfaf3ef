#include "learner/algorithms/actor_critic/td3.h"

#include <cmath>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/device/normal_noise.h"
#include "learner/algorithms/optimization/optimizer_state.h"
#include "tests/learner/algorithms/actor_critic_example.h"

namespace cadre {
namespace {

const ActionSpace kActions = BoundedActions({-2, 0}, {2, 3});
constexpr int64_t kObservationSize = 3;

Td3Config ExampleConfig() {
  Td3Config config;
  config.set_policy_learning_rate(3e-3);
  config.set_value_learning_rate(1e-2);
  config.set_target_update_rate(0.1);
  config.set_target_noise(0.4);  // The clip at 0.5 cuts some, and so does the action's bound.
  config.set_adam_epsilon(1e-2);
  return config;
}

std::unique_ptr<OffPolicyAlgorithm> ExampleTd3(uint64_t seed) {
  auto td3 = MakeTd3(ExampleConfig(), MlpModelConfig({7, 5}), VectorSpace(kObservationSize),
                     kActions, Random(seed), {});
  CADRE_CHECK(td3.ok());
  return *std::move(td3);
}

ContinuousPolicyNetwork Policy(const ModelConfig& model, int64_t observation_size,
                               const ActionSpace& action) {
  auto network = MakeContinuousPolicy(model, false, VectorSpace(observation_size), action);
  CADRE_CHECK(network.ok());
  return *std::move(network);
}

// Algorithm 1 as one would write it down in a notebook, with the algorithm's own noise.
class NotebookTd3 {
 public:
  explicit NotebookTd3(OffPolicyAlgorithm& td3)
      : policy_(Policy(MlpModelConfig({7, 5}), kObservationSize, kActions).network,
                td3.acting_parameters(), ExampleConfig().policy_learning_rate(),
                ExampleConfig().adam_epsilon()),
        critics_(MakeCritics(MlpModelConfig({7, 5}), 2, VectorSpace(kObservationSize), kActions)
                     ->network,
                 SavedFloats(td3, "critics.parameters"), ExampleConfig().value_learning_rate(),
                 ExampleConfig().adam_epsilon()) {
    CADRE_CHECK(RestoreRandom("td3.random", SavedState(td3), random_).ok());
  }

  void Update(const OffPolicyBatch& batch) {
    const auto wide = [](const torch::Tensor& t) { return t.to(torch::kFloat64); };
    const torch::Tensor s = wide(batch.observations.only()),
                        next = wide(batch.next_observations.only());
    const torch::Tensor low = wide(torch::tensor(kActions.low));
    const torch::Tensor high = wide(torch::tensor(kActions.high));
    const torch::Tensor a = 2 * (wide(batch.actions) - low) / (high - low) - 1;
    torch::Tensor noise = torch::empty({batch.size(), kActions.dimensions});
    FillNormal(random_, noise);
    noise = (wide(noise) * ExampleConfig().target_noise()).clamp(-0.5, 0.5);
    const torch::Tensor next_a = (torch::tanh(policy_.RunTarget(0, next)) + noise).clamp(-1, 1);
    const torch::Tensor y =
        wide(batch.rewards) +
        wide(batch.discounts) * critics_.LeastTarget(torch::cat({next, next_a}, 1)).squeeze(1);
    const torch::Tensor q1 = critics_.Run(0, torch::cat({s, a}, 1)).squeeze(1);
    const torch::Tensor q2 = critics_.Run(1, torch::cat({s, a}, 1)).squeeze(1);
    const torch::Tensor w = wide(batch.weights);
    errors = (((q1 - y).abs() + (q2 - y).abs()) / 2).detach();
    critics_.Descend((w * (q1 - y).square()).mean() + (w * (q2 - y).square()).mean());
    if (++updates_ % ExampleConfig().policy_delay() != 0) return;
    policy_.Descend(-critics_.Run(0, torch::cat({s, torch::tanh(policy_.Run(0, s))}, 1)).mean());
    policy_.MoveTarget(ExampleConfig().target_update_rate());
    critics_.MoveTarget(ExampleConfig().target_update_rate());
  }

  torch::Tensor errors;
  Notebook policy_, critics_;
  Random random_{0};
  int updates_ = 0;
};

TEST(Td3Test, IsTheNotebooksAlgorithm) {
  const auto td3 = ExampleTd3(1);
  NotebookTd3 notebook(*td3);
  Random random(2);
  for (int i = 0; i < 6; ++i) {
    const OffPolicyBatch batch = TransitionsIn(kActions, 9 + i, kObservationSize, random);
    std::vector<float> priorities(batch.size(), -1);
    EXPECT_TRUE(td3->Update(batch, 0, absl::MakeSpan(priorities)).ok());
    notebook.Update(batch);
    ExpectClose(torch::tensor(priorities), notebook.errors, "priorities");
  }
  ExpectClose(td3->acting_parameters(), notebook.policy_.online(), "policy");
  ExpectClose(SavedFloats(*td3, "critics.parameters"), notebook.critics_.online(), "critics");
  ExpectClose(SavedFloats(*td3, "policy.target"), notebook.policy_.target(), "policy's target");
  ExpectClose(SavedFloats(*td3, "critics.target"), notebook.critics_.target(), "critics' targets");
}

TEST(Td3Test, PolicyAndTargetsWaitForTheirTurn) {
  Td3Config config = ExampleConfig();
  config.set_policy_delay(3);
  auto made = MakeTd3(config, MlpModelConfig({7, 5}), VectorSpace(kObservationSize), kActions,
                      Random(1), {});
  ASSERT_TRUE(made.ok());
  OffPolicyAlgorithm& td3 = **made;
  for (int update = 1; update <= 7; ++update) {
    const torch::Tensor policy = td3.acting_parameters().clone();
    const torch::Tensor critics = SavedFloats(td3, "critics.parameters");
    const torch::Tensor policy_target = SavedFloats(td3, "policy.target");
    const torch::Tensor critics_target = SavedFloats(td3, "critics.target");
    Train(td3, 1, kActions, 10 + update);
    EXPECT_FALSE(torch::equal(SavedFloats(td3, "critics.parameters"), critics));
    const bool turn = update % 3 == 0;
    EXPECT_EQ(!torch::equal(td3.acting_parameters(), policy), turn) << "update " << update;
    const torch::Tensor online = SavedFloats(td3, "critics.parameters");
    EXPECT_TRUE(torch::equal(
        SavedFloats(td3, "policy.target"),
        turn ? td3.acting_parameters() * 0.1f + policy_target * (1.0f - 0.1f) : policy_target));
    EXPECT_TRUE(
        torch::equal(SavedFloats(td3, "critics.target"),
                     turn ? online * 0.1f + critics_target * (1.0f - 0.1f) : critics_target));
    EXPECT_EQ(std::isnan(Diagnostic(td3, "policy_loss")), update < 3);
  }
}

TEST(Td3Test, TargetNoiseIsItsOwnAndCanBeSilent) {
  const auto after_update = [](double noise, double clip, uint64_t random_word) {
    Td3Config config = ExampleConfig();
    config.set_target_noise(noise);
    config.set_target_noise_clip(clip);
    auto td3 = MakeTd3(config, MlpModelConfig({7, 5}), VectorSpace(kObservationSize), kActions,
                       Random(1), {});
    CADRE_CHECK(td3.ok());
    TensorMap state;
    const TensorMap saved = SavedState(**td3);
    for (const NamedTensor& tensor : saved.tensors())
      if (tensor.name != "td3.random") state.Add(tensor);
    SaveRandom("td3.random", Random(random_word), state);
    CADRE_CHECK((*td3)->Restore(state).ok());
    Train(**td3, 1, kActions, 3);
    return SavedFloats(**td3, "critics.parameters");
  };
  EXPECT_TRUE(torch::equal(after_update(0.2, 0.5, 7), after_update(0.2, 0.5, 7)));
  EXPECT_FALSE(torch::equal(after_update(0.2, 0.5, 7), after_update(0.2, 0.5, 8)));
  EXPECT_TRUE(torch::equal(after_update(0, 0.5, 7), after_update(0, 0.5, 8)));
  EXPECT_TRUE(torch::equal(after_update(0.2, 0, 7), after_update(0, 0.5, 7)));
}

TEST(Td3Test, ValuesOfAConstantRewardReachItsDiscountedSum) {
  const auto td3 = ExampleTd3(1);
  Random random(5);
  for (int i = 0; i < 1500; ++i) {
    OffPolicyBatch batch = TransitionsIn(kActions, 16, kObservationSize, random);
    batch.rewards.fill_(1);
    batch.discounts.fill_(0.5);
    EXPECT_TRUE(td3->Update(batch, 0, {}).ok());
  }
  EXPECT_NEAR(Diagnostic(*td3, "mean_q"), 2, 0.05);
}

TEST(Td3Test, FindsTheBestActionOfABandit) {
  const auto best = [](double s) { return 1 + 0.8 * s; };
  const ActionSpace action = BoundedActions({-2}, {4});
  const ModelConfig model = MlpModelConfig({32, 32});
  for (const uint64_t seed : {1, 2, 3}) {
    auto td3 = MakeTd3({}, model, VectorSpace(1), action, Random(seed), {});
    ASSERT_TRUE(td3.ok());
    Random random(100 + seed);
    for (int i = 0; i < 2000; ++i)
      EXPECT_TRUE((*td3)->Update(BanditBatch(64, action, best, random), 0, {}).ok());
    for (const double s : {-0.8, 0.0, 0.8})
      EXPECT_NEAR(GreedyAction(**td3, Policy(model, 1, action), s), best(s), 0.35)
          << "seed " << seed << ", s " << s;
  }
}

TEST(Td3Test, RestoreContinuesBitForBit) { ExpectRestoreContinues(ExampleTd3, kActions); }

TEST(Td3Test, MissingStateIsDataLoss) { ExpectMissingTensorsAreDataLoss(ExampleTd3); }

}  // namespace
}  // namespace cadre
