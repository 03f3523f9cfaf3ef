#include <cmath>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/actor_critic/sac.h"
#include "tests/learner/algorithms/actor_critic_example.h"

namespace cadre {
namespace {

const ActionSpace kActions = DiscreteActions(4);
constexpr int64_t kObservationSize = 3;
constexpr double kPapersShare = 0.98;  // Of uniform actions' entropy, as the target.

SacConfig ExampleConfig() {
  SacConfig config;
  config.set_policy_learning_rate(3e-3);
  config.set_value_learning_rate(1e-2);
  config.set_temperature(0.3);
  config.set_temperature_learning_rate(2e-2);
  config.set_target_update_rate(0.1);
  config.set_adam_epsilon(1e-2);
  config.set_target_entropy(kPapersShare * std::log(4));
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

Network Policy() {
  auto network =
      MakeDiscretePolicy(MlpModelConfig({7, 5}), VectorSpace(kObservationSize), kActions);
  CADRE_CHECK(network.ok());
  return network->network;
}

std::vector<double> Probabilities(OffPolicyAlgorithm& sac, const std::vector<double>& s) {
  const absl::Span<const float> flat = Flat(sac.acting_parameters());
  std::vector<double> p = NaiveHead(Policy(), 0, {flat.begin(), flat.end()}, {s});
  double sum = 0;
  for (double& x : p) sum += x = std::exp(x);
  for (double& x : p) x /= sum;
  return p;
}

// Algorithm 1 as one would write it down in a notebook.
class NotebookSac {
 public:
  explicit NotebookSac(OffPolicyAlgorithm& sac)
      : policy_(Policy(), sac.acting_parameters(), ExampleConfig().policy_learning_rate(),
                ExampleConfig().adam_epsilon()),
        critics_(MakeCritics(MlpModelConfig({7, 5}), 2, VectorSpace(kObservationSize), kActions)
                     ->network,
                 SavedFloats(sac, "critics.parameters"), ExampleConfig().value_learning_rate(),
                 ExampleConfig().adam_epsilon()),
        log_alpha_(torch::tensor(std::log(ExampleConfig().temperature()), torch::kFloat64)
                       .requires_grad_()),
        alpha_adam_({log_alpha_},
                    torch::optim::AdamOptions(ExampleConfig().temperature_learning_rate())
                        .eps(ExampleConfig().adam_epsilon())) {}

  void Update(const OffPolicyBatch& batch) {
    const auto wide = [](const torch::Tensor& t) { return t.to(torch::kFloat64); };
    const torch::Tensor s = wide(batch.observations.only()),
                        next = wide(batch.next_observations.only());
    const double alpha = std::exp(log_alpha_.item<double>());
    const torch::Tensor next_p = torch::softmax(policy_.Run(0, next), 1);
    const torch::Tensor next_v =
        (next_p * (critics_.LeastTarget(next) - alpha * next_p.log())).sum(1);
    const torch::Tensor y = (wide(batch.rewards) + wide(batch.discounts) * next_v).detach();
    const torch::Tensor columns = batch.actions.unsqueeze(1);
    const torch::Tensor e1 = critics_.Run(0, s).gather(1, columns).squeeze(1) - y;
    const torch::Tensor e2 = critics_.Run(1, s).gather(1, columns).squeeze(1) - y;
    errors = ((e1.abs() + e2.abs()) / 2).detach();
    critics_.Descend((wide(batch.weights) * (e1.square() + e2.square())).mean());

    const torch::Tensor p = torch::softmax(policy_.Run(0, s), 1);
    const torch::Tensor q = critics_.Least(s).detach();
    const torch::Tensor policy_objective = (p * (alpha * p.log() - q)).sum(1).mean();
    policy_loss = policy_objective.item<double>();
    const torch::Tensor entropy = -(p * p.log()).sum(1).mean().detach();
    policy_.Descend(policy_objective);
    alpha_adam_.zero_grad();
    (log_alpha_.exp() * (entropy - kPapersShare * std::log(4))).backward();
    alpha_adam_.step();
    critics_.MoveTarget(ExampleConfig().target_update_rate());
  }

  double temperature() const { return std::exp(log_alpha_.item<double>()); }

  torch::Tensor errors;
  double policy_loss = 0;
  Notebook policy_, critics_;

 private:
  torch::Tensor log_alpha_;
  torch::optim::Adam alpha_adam_;
};

TEST(DiscreteSacTest, IsTheNotebooksAlgorithm) {
  const auto sac = ExampleSac(1);
  NotebookSac notebook(*sac);
  Random random(2);
  for (int i = 0; i < 5; ++i) {
    const OffPolicyBatch batch = TransitionsIn(kActions, 9 + i, kObservationSize, random);
    std::vector<float> priorities(batch.size(), -1);
    EXPECT_TRUE(sac->Update(batch, 0, absl::MakeSpan(priorities)).ok());
    notebook.Update(batch);
    ExpectClose(torch::tensor(priorities), notebook.errors, "priorities");
    EXPECT_NEAR(Diagnostic(*sac, "policy_loss"), notebook.policy_loss, 1e-5);
    EXPECT_NEAR(Diagnostic(*sac, "temperature"), notebook.temperature(), 1e-6);
  }
  ExpectClose(sac->acting_parameters(), notebook.policy_.online(), "policy");
  ExpectClose(SavedFloats(*sac, "critics.parameters"), notebook.critics_.online(), "critics");
  ExpectClose(SavedFloats(*sac, "critics.target"), notebook.critics_.target(), "targets");
}

TEST(DiscreteSacTest, ThePolicyOfABanditIsTheSoftmaxOfItsRewards) {
  // What maximises sum_a pi(a) (r(a) - alpha log pi(a)).
  const std::vector<double> rewards = {0, 0.5, -0.3, 0.2};
  SacConfig config = ExampleConfig();
  config.set_learn_temperature(false);
  config.set_temperature(0.4);
  double sum = 0;
  for (const double reward : rewards) sum += std::exp(reward / 0.4);
  for (const uint64_t seed : {1, 2, 3}) {
    const auto sac = MakeExample(config, seed);
    Random random(50 + seed);
    for (int i = 0; i < 2000; ++i) {
      OffPolicyBatch batch = TransitionsIn(kActions, 64, kObservationSize, random);
      batch.discounts.zero_();
      for (int64_t b = 0; b < 64; ++b)
        Flat(batch.rewards)[b] = static_cast<float>(rewards[batch.actions.data_ptr<int64_t>()[b]]);
      EXPECT_TRUE(sac->Update(batch, 0, {}).ok());
    }
    const std::vector<double> p = Probabilities(*sac, {0.3, -0.2, 0.5});
    for (size_t a = 0; a < 4; ++a)
      EXPECT_NEAR(p[a], std::exp(rewards[a] / 0.4) / sum, 0.03) << "seed " << seed;
  }
}

TEST(DiscreteSacTest, SoftValuesOfNothingAreTheEntropysWorth) {
  // Without rewards and with every action alike, V = alpha log n / (1 - gamma).
  SacConfig config = ExampleConfig();
  config.set_learn_temperature(false);
  const auto sac = MakeExample(config, 1);
  Random random(5);
  for (int i = 0; i < 1500; ++i) {
    OffPolicyBatch batch = TransitionsIn(kActions, 32, kObservationSize, random);
    batch.rewards.zero_();
    batch.discounts.fill_(0.5);
    EXPECT_TRUE(sac->Update(batch, 0, {}).ok());
  }
  EXPECT_NEAR(Diagnostic(*sac, "mean_q"), 0.5 * 0.3 * std::log(4) / (1 - 0.5), 0.02);
  EXPECT_NEAR(Diagnostic(*sac, "entropy"), std::log(4), 0.01);
}

TEST(DiscreteSacTest, ATargetThatNoPolicyHasEndsAtTheTemperaturesBound) {
  SacConfig config = ExampleConfig();
  config.set_target_entropy(2 * std::log(4));
  config.set_max_temperature(0.5);
  config.set_temperature_learning_rate(0.1);
  const auto sac = MakeExample(config, 1);
  Random random(5);
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(sac->Update(TransitionsIn(kActions, 8, kObservationSize, random), 0, {}).ok());
  EXPECT_FLOAT_EQ(static_cast<float>(Diagnostic(*sac, "temperature")), 0.5f);
}

TEST(DiscreteSacTest, ByDefaultThePolicyIsToBeSurerThanHalfOfUniform) {
  SacConfig by_default = ExampleConfig(), same = ExampleConfig(), other = ExampleConfig();
  by_default.clear_target_entropy();
  same.set_target_entropy(0.4 * std::log(4));
  other.set_target_entropy(kPapersShare * std::log(4));
  std::vector<double> temperatures;
  for (const SacConfig& config : {by_default, same, other}) {
    const auto sac = MakeExample(config, 1);
    Random random(5);
    for (int i = 0; i < 10; ++i)
      EXPECT_TRUE(sac->Update(TransitionsIn(kActions, 8, kObservationSize, random), 0, {}).ok());
    temperatures.push_back(Diagnostic(*sac, "temperature"));
  }
  EXPECT_EQ(temperatures[0], temperatures[1]);
  EXPECT_NE(temperatures[0], temperatures[2]);
}

TEST(DiscreteSacTest, RestoreContinuesBitForBit) { ExpectRestoreContinues(ExampleSac, kActions); }

TEST(DiscreteSacTest, MissingStateIsDataLoss) { ExpectMissingTensorsAreDataLoss(ExampleSac); }

}  // namespace
}  // namespace cadre
