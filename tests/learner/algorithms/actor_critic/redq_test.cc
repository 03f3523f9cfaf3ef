#include "learner/algorithms/actor_critic/redq.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/actor_critic/sac.h"
#include "tests/learner/algorithms/actor_critic_example.h"

namespace cadre {
namespace {

constexpr int64_t kBatch = 16, kObservation = 3;

const ActionSpace& Space() {
  static const ActionSpace& space = *new ActionSpace(BoundedActions({-2, 0}, {2, 1}));
  return space;
}

RedqConfig ExampleConfig() {
  RedqConfig config;
  config.set_policy_learning_rate(1e-2);
  config.set_value_learning_rate(1e-2);
  config.set_critics(5);
  config.set_subset(2);
  config.set_policy_delay(3);
  return config;
}

std::unique_ptr<OffPolicyAlgorithm> ExampleRedq(const RedqConfig& config,
                                                const DeviceOptions& where = {}) {
  auto redq = MakeRedq(config, MlpModelConfig({9, 7}, RELU), VectorSpace(kObservation), Space(),
                       Random(1), where);
  CADRE_CHECK(redq.ok());
  return *std::move(redq);
}

OffPolicyBatch Batch(Random& random) {
  return TransitionsIn(Space(), kBatch, kObservation, random);
}

std::vector<float> Acting(OffPolicyAlgorithm& algorithm) {
  const torch::Tensor flat = algorithm.acting_parameters();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

std::map<std::string, double> Report(const OffPolicyAlgorithm& algorithm) {
  const Diagnostics diagnostics = algorithm.diagnostics();
  return {diagnostics.begin(), diagnostics.end()};
}

TEST(RedqTest, ThePolicyMovesOnceForSoManyUpdatesOfTheCritics) {
  const auto redq = ExampleRedq(ExampleConfig());
  Random random(2);
  std::vector<float> before = Acting(*redq);
  for (int update = 1; update <= 6; ++update) {
    ASSERT_TRUE(redq->Update(Batch(random), 0, {}).ok());
    EXPECT_EQ(Acting(*redq) != before, update % 3 == 0) << update;
    before = Acting(*redq);
  }
}

// With all critics in the subset and one update of each kind, only the policy's objective differs
// from soft actor-critic's: the first update of the critics is the same.
TEST(RedqTest, ItsTargetsAreSoftActorCriticsWhereTheSubsetIsAllCritics) {
  RedqConfig config = ExampleConfig();
  config.set_critics(2);
  config.set_policy_delay(1);
  SacConfig sac_config;
  sac_config.set_policy_learning_rate(1e-2);
  sac_config.set_value_learning_rate(1e-2);
  const auto redq = ExampleRedq(config);
  auto sac = MakeSac(sac_config, MlpModelConfig({9, 7}, RELU), VectorSpace(kObservation), Space(),
                     Random(1), {});
  Random random(2);
  const OffPolicyBatch batch = Batch(random);
  ASSERT_TRUE(redq->Update(batch, 0, {}).ok());
  ASSERT_TRUE((*sac)->Update(batch, 0, {}).ok());
  EXPECT_EQ(Report(*redq)["value_loss"], Report(**sac)["value_loss"]);
  EXPECT_EQ(Report(*redq)["value_gradient_norm"], Report(**sac)["value_gradient_norm"]);
  EXPECT_NE(Report(*redq)["policy_gradient_norm"], Report(**sac)["policy_gradient_norm"]);
}

// On one batch, with everything else held.
TEST(RedqTest, AnotherPairOfCriticsIsDrawnForEachUpdate) {
  RedqConfig config = ExampleConfig();
  config.set_value_learning_rate(1e-12);
  config.set_policy_learning_rate(1e-12);
  config.set_learn_temperature(false);
  config.set_policy_delay(1000);
  Random random(2);
  const OffPolicyBatch batch = Batch(random);
  // The noise of the next actions changes the losses of all critics alike; which of the critics
  // are far from the target depends on the pair, and shows in the spread.
  const auto spread = [&](int subset) {
    config.set_subset(subset);
    const auto redq = ExampleRedq(config);
    double sum = 0, squares = 0;
    constexpr int kUpdates = 300;
    for (int update = 0; update < kUpdates; ++update) {
      CADRE_CHECK(redq->Update(batch, 0, {}).ok());
      const double loss = Report(*redq)["value_loss"];
      sum += loss / kUpdates;
      squares += loss * loss / kUpdates;
    }
    return std::sqrt(squares - sum * sum);
  };
  EXPECT_GT(spread(1), 1.5 * spread(5));
}

TEST(RedqTest, GoesOnFromSavedStateBitForBit) {
  const auto first = ExampleRedq(ExampleConfig());
  Random random(2);
  for (int update = 0; update < 4; ++update) ASSERT_TRUE(first->Update(Batch(random), 0, {}).ok());
  TensorMap state;
  first->Save(state);
  const auto second = ExampleRedq(ExampleConfig());
  second->acting_parameters().copy_(first->acting_parameters());
  second->ActingParametersChanged();
  ASSERT_TRUE(second->Restore(state).ok());
  for (int update = 0; update < 5; ++update) {
    const OffPolicyBatch batch = Batch(random);
    ASSERT_TRUE(first->Update(batch, 0, {}).ok());
    ASSERT_TRUE(second->Update(batch, 0, {}).ok());
  }
  EXPECT_EQ(Acting(*first), Acting(*second));
  EXPECT_EQ(Report(*first), Report(*second));
}

TEST(RedqTest, BothRunnersLearnTheSame) {
  const auto kernels = ExampleRedq(ExampleConfig());
  const auto tensors = ExampleRedq(ExampleConfig(), {.tensor_operations = true});
  Random random(2);
  for (int update = 0; update < 6; ++update) {
    const OffPolicyBatch batch = Batch(random);
    ASSERT_TRUE(kernels->Update(batch, 0, {}).ok());
    ASSERT_TRUE(tensors->Update(batch, 0, {}).ok());
  }
  const std::vector<float> a = Acting(*kernels), b = Acting(*tensors);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4) << i;
}

}  // namespace
}  // namespace cadre
