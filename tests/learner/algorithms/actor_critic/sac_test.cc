#include "learner/algorithms/actor_critic/sac.h"

#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/device/normal_noise.h"
#include "learner/algorithms/optimization/optimizer_state.h"
#include "tests/learner/algorithms/actor_critic_example.h"

namespace cadre {
namespace {

const ActionSpace kActions = BoundedActions({-2, 0}, {2, 3});
constexpr int64_t kObservationSize = 3;

SacConfig ExampleConfig() {
  SacConfig config;
  config.set_policy_learning_rate(3e-3);
  config.set_value_learning_rate(1e-2);
  config.set_temperature(0.3);
  config.set_temperature_learning_rate(2e-2);
  config.set_target_update_rate(0.1);
  config.set_adam_epsilon(1e-2);
  return config;
}

std::unique_ptr<OffPolicyAlgorithm> MakeExample(const SacConfig& config, uint64_t seed) {
  auto sac = MakeSac(config, MlpModelConfig({7, 5}), VectorSpace(kObservationSize), kActions,
                     Random(seed), {});
  CADRE_CHECK(sac.ok());
  return *std::move(sac);
}

std::unique_ptr<OffPolicyAlgorithm> ExampleSac(uint64_t seed) {
  return MakeExample(ExampleConfig(), seed);
}

ContinuousPolicyNetwork Policy(const ModelConfig& model, int64_t observation_size,
                               const ActionSpace& action) {
  auto network = MakeContinuousPolicy(model, true, VectorSpace(observation_size), action);
  CADRE_CHECK(network.ok());
  return *std::move(network);
}

// Algorithm 1 as one would write it down in a notebook, with the algorithm's own noise
// and the density of tanh in its textbook form, which float64 stands.
class NotebookSac {
 public:
  explicit NotebookSac(OffPolicyAlgorithm& sac)
      : policy_(Policy(MlpModelConfig({7, 5}), kObservationSize, kActions).network,
                sac.acting_parameters(), ExampleConfig().policy_learning_rate(),
                ExampleConfig().adam_epsilon()),
        critics_(MakeCritics(MlpModelConfig({7, 5}), 2, VectorSpace(kObservationSize), kActions)
                     ->network,
                 SavedFloats(sac, "critics.parameters"), ExampleConfig().value_learning_rate(),
                 ExampleConfig().adam_epsilon()),
        log_alpha_(torch::tensor(std::log(ExampleConfig().temperature()), torch::kFloat64)
                       .requires_grad_()),
        alpha_adam_({log_alpha_},
                    torch::optim::AdamOptions(ExampleConfig().temperature_learning_rate())
                        .eps(ExampleConfig().adam_epsilon())) {
    CADRE_CHECK(RestoreRandom("sac.random", SavedState(sac), random_).ok());
  }

  void Update(const OffPolicyBatch& batch) {
    const torch::Tensor s = Wide(batch.observations.only()),
                        next = Wide(batch.next_observations.only());
    const torch::Tensor low = Wide(torch::tensor(kActions.low));
    const torch::Tensor high = Wide(torch::tensor(kActions.high));
    const torch::Tensor a = 2 * (Wide(batch.actions) - low) / (high - low) - 1;
    const double alpha = std::exp(log_alpha_.item<double>());
    const auto [next_a, next_log_prob] = Sample(next);
    const torch::Tensor next_v =
        critics_.LeastTarget(torch::cat({next, next_a}, 1)).squeeze(1) - alpha * next_log_prob;
    const torch::Tensor y = (Wide(batch.rewards) + Wide(batch.discounts) * next_v).detach();
    const torch::Tensor q1 = critics_.Run(0, torch::cat({s, a}, 1)).squeeze(1);
    const torch::Tensor q2 = critics_.Run(1, torch::cat({s, a}, 1)).squeeze(1);
    const torch::Tensor w = Wide(batch.weights);
    errors = (((q1 - y).abs() + (q2 - y).abs()) / 2).detach();
    mean_q = ((q1 + q2) / 2).mean().item<double>();
    const torch::Tensor loss = (w * ((q1 - y).square() + (q2 - y).square())).mean();
    value_loss = loss.item<double>();
    critics_.Descend(loss);

    const auto [policy_a, log_prob] = Sample(s);
    const torch::Tensor q = critics_.Least(torch::cat({s, policy_a}, 1)).squeeze(1);
    const torch::Tensor policy_objective = (alpha * log_prob - q).mean();
    policy_loss = policy_objective.item<double>();
    entropy = -log_prob.mean().item<double>();
    policy_gradient_norm = policy_.Descend(policy_objective);

    const double target_entropy = -static_cast<double>(kActions.dimensions);
    alpha_adam_.zero_grad();
    (log_alpha_.exp() * (-log_prob.detach() - target_entropy)).mean().backward();
    alpha_adam_.step();
    critics_.MoveTarget(ExampleConfig().target_update_rate());
  }

  double temperature() const { return std::exp(log_alpha_.item<double>()); }

  torch::Tensor errors;
  double mean_q = 0, value_loss = 0, policy_loss = 0, entropy = 0, policy_gradient_norm = 0;
  Notebook policy_, critics_;

 private:
  static torch::Tensor Wide(const torch::Tensor& t) { return t.to(torch::kFloat64); }

  std::pair<torch::Tensor, torch::Tensor> Sample(const torch::Tensor& s) {
    torch::Tensor noise = torch::empty({s.size(0), kActions.dimensions});
    FillNormal(random_, noise);
    const std::vector<torch::Tensor> head = policy_.Run(0, s).chunk(2, 1);
    const torch::Tensor deviation = head[1].clamp(-20, 2).exp();
    const torch::Tensor u = head[0] + deviation * Wide(noise);
    const torch::Tensor a = torch::tanh(u);
    const torch::Tensor density = torch::exp(-0.5 * ((u - head[0]) / deviation).square()) /
                                  (deviation * std::sqrt(2 * std::numbers::pi)) / (1 - a.square());
    return {a, density.log().sum(1)};
  }

  Random random_{0};
  torch::Tensor log_alpha_;
  torch::optim::Adam alpha_adam_;
};

TEST(SacTest, IsTheNotebooksAlgorithm) {
  const auto sac = ExampleSac(1);
  NotebookSac notebook(*sac);
  Random random(2);
  for (int i = 0; i < 5; ++i) {
    const OffPolicyBatch batch = TransitionsIn(kActions, 9 + i, kObservationSize, random);
    std::vector<float> priorities(batch.size(), -1);
    EXPECT_TRUE(sac->Update(batch, 0, absl::MakeSpan(priorities)).ok());
    notebook.Update(batch);
    ExpectClose(torch::tensor(priorities), notebook.errors, "priorities");
    EXPECT_NEAR(Diagnostic(*sac, "mean_q"), notebook.mean_q, 1e-5);
    EXPECT_NEAR(Diagnostic(*sac, "value_loss"), notebook.value_loss, 1e-5);
    EXPECT_NEAR(Diagnostic(*sac, "policy_loss"), notebook.policy_loss, 1e-5);
    EXPECT_NEAR(Diagnostic(*sac, "entropy"), notebook.entropy, 1e-5);
    EXPECT_NEAR(Diagnostic(*sac, "temperature"), notebook.temperature(), 1e-6);
    EXPECT_NEAR(Diagnostic(*sac, "policy_gradient_norm"), notebook.policy_gradient_norm, 1e-5);
  }
  EXPECT_GT(std::abs(notebook.temperature() - ExampleConfig().temperature()), 1e-3);
  ExpectClose(sac->acting_parameters(), notebook.policy_.online(), "policy");
  ExpectClose(SavedFloats(*sac, "critics.parameters"), notebook.critics_.online(), "critics");
  ExpectClose(SavedFloats(*sac, "critics.target"), notebook.critics_.target(), "targets");
}

TEST(SacTest, TargetsMoveByPolyakExactly) {
  const auto sac = ExampleSac(1);
  const torch::Tensor before = SavedFloats(*sac, "critics.target");
  Train(*sac, 1, kActions, 3);
  const torch::Tensor online = SavedFloats(*sac, "critics.parameters");
  EXPECT_FALSE(torch::equal(online, before));
  EXPECT_TRUE(
      torch::equal(SavedFloats(*sac, "critics.target"), online * 0.1f + before * (1.0f - 0.1f)));
}

TEST(SacTest, AConstantTemperatureStays) {
  SacConfig config = ExampleConfig();
  config.set_learn_temperature(false);
  const auto sac = MakeExample(config, 1);
  Train(*sac, 3, kActions, 3);
  EXPECT_FLOAT_EQ(Diagnostic(*sac, "temperature"), 0.3);
}

TEST(SacTest, TheTwinsAreDifferentCritics) {
  const torch::Tensor critics = SavedFloats(*ExampleSac(1), "critics.parameters");
  const std::vector<torch::Tensor> twins = critics.chunk(2);
  EXPECT_FALSE(torch::equal(twins[0], twins[1]));
}

TEST(SacTest, ValuesOfAConstantRewardReachItsDiscountedSum) {
  SacConfig config = ExampleConfig();
  config.set_learn_temperature(false);
  config.set_temperature(1e-4);
  const auto sac = MakeExample(config, 1);
  Random random(5);
  for (int i = 0; i < 1000; ++i) {
    OffPolicyBatch batch = TransitionsIn(kActions, 16, kObservationSize, random);
    batch.rewards.fill_(1);
    batch.discounts.fill_(0.5);
    EXPECT_TRUE(sac->Update(batch, 0, {}).ok());
  }
  EXPECT_NEAR(Diagnostic(*sac, "mean_q"), 2, 0.05);
}

TEST(SacTest, EntropyReachesItsTargetAgainstTheRewards) {
  SacConfig config = ExampleConfig();
  config.set_target_entropy(0.2);
  config.set_adam_epsilon(1e-8);
  const auto sac = MakeExample(config, 1);
  Random random(6);
  double sum = 0;
  constexpr int kUpdates = 3000, kCounted = 500;
  for (int i = 0; i < kUpdates; ++i) {
    OffPolicyBatch batch = TransitionsIn(kActions, 32, kObservationSize, random);
    // A reward for keeping to the middle, which entropy then pays for.
    batch.rewards = -batch.actions.square().sum(1);
    batch.discounts.zero_();
    EXPECT_TRUE(sac->Update(batch, 0, {}).ok());
    if (i >= kUpdates - kCounted) sum += Diagnostic(*sac, "entropy");
  }
  EXPECT_NEAR(sum / kCounted, 0.2, 0.1);
}

TEST(SacTest, FindsTheBestActionOfABandit) {
  const auto best = [](double s) { return 1 + 0.8 * s; };
  const ActionSpace action = BoundedActions({-2}, {4});
  const ModelConfig model = MlpModelConfig({32, 32});
  SacConfig config;
  config.set_policy_learning_rate(1e-3);
  for (const uint64_t seed : {1, 2, 3}) {
    auto sac = MakeSac(config, model, VectorSpace(1), action, Random(seed), {});
    ASSERT_TRUE(sac.ok());
    Random random(100 + seed);
    for (int i = 0; i < 3000; ++i)
      EXPECT_TRUE((*sac)->Update(BanditBatch(64, action, best, random), 0, {}).ok());
    for (const double s : {-0.8, 0.0, 0.8})
      EXPECT_NEAR(GreedyAction(**sac, Policy(model, 1, action), s), best(s), 0.35)
          << "seed " << seed << ", s " << s;
  }
}

TEST(SacTest, RestoreContinuesBitForBit) { ExpectRestoreContinues(ExampleSac, kActions); }

TEST(SacTest, MissingStateIsDataLoss) { ExpectMissingTensorsAreDataLoss(ExampleSac); }

TEST(SacTest, DiagnosticsHaveTheirNamesBeforeTheFirstUpdate) {
  const auto sac = ExampleSac(1);
  const Diagnostics before = sac->diagnostics();
  Train(*sac, 1, kActions, 3);
  const Diagnostics after = sac->diagnostics();
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < after.size(); ++i) EXPECT_EQ(before[i].first, after[i].first);
}

TEST(SacTest, RefusesUnboundedActions) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto sac = MakeSac({}, MlpModelConfig({4}), VectorSpace(2),
                           BoundedActions({-infinity}, {infinity}), Random(1), {});
  EXPECT_TRUE(absl::IsInvalidArgument(sac.status()));
  EXPECT_NE(std::string(sac.status().message()).find("dimension 0"), std::string::npos);
}

}  // namespace
}  // namespace cadre
