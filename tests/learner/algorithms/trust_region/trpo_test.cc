#include "learner/algorithms/trust_region/trpo.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/trust_region/trust_region_example.h"

namespace cadre {
namespace {

TrpoConfig ExampleConfig(double max_kl = 0.01) {
  TrpoConfig config;
  config.set_max_kl(max_kl);
  config.mutable_value()->set_minibatch_size(8);
  config.mutable_value()->set_epochs(2);
  return config;
}

std::unique_ptr<OnPolicyAlgorithm> ExampleTrpo(const TrpoConfig& config, const ActionSpace& action,
                                               uint64_t seed = 1) {
  return MakeTrpo(config, TrustRegionModel(action), Random(seed));
}

TEST(TrpoTest, AnAcceptedStepNeverExceedsTheBoundAndImprovesTheSurrogate) {
  int accepted = 0, shortened = 0;
  for (const ActionSpace& action : BothKindsOfActions()) {
    for (const double max_kl : {1e-4, 0.01, 0.3, 3.0}) {
      TrpoConfig config = ExampleConfig(max_kl);
      config.mutable_conjugate_gradient()->set_damping(1e-3);
      for (uint64_t seed = 1; seed <= 40; ++seed) {
        auto trpo = MakeTrpo(config, TrustRegionModel(action, seed), Random(1));
        Random random(100 + seed);
        const OnPolicyBatch batch = ExampleBatch(trpo->model(), {5, 8, 11}, random, 0.3);
        const Heads before = PolicyOf(*trpo, batch);
        const auto diagnostics = UpdateOnce(*trpo, batch);
        const double kl = MeanKl(before, PolicyOf(*trpo, batch)).item<double>();
        EXPECT_LE(kl, max_kl) << "seed " << seed;
        EXPECT_NEAR(diagnostics.at("kl"), kl, 1e-12);
        if (diagnostics.at("step_scale") == 0) {
          EXPECT_EQ(kl, 0);
          continue;
        }
        ++accepted;
        EXPECT_GT(diagnostics.at("surrogate_improvement"), 0);
        if (diagnostics.at("backtracks") > 0) ++shortened;
      }
    }
  }
  EXPECT_GT(accepted, 300);
  EXPECT_GT(shortened, 30) << "the line search had nothing to do";
}

TEST(TrpoTest, TheLongestStepWithinTheBoundIsTaken) {
  // One backtrack less would have been too far.
  TrpoConfig config = ExampleConfig(1.0);
  config.mutable_conjugate_gradient()->set_damping(1e-3);
  int checked = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    auto trpo = ExampleTrpo(config, ContinuousActions(2));
    const OnPolicyBatch batch = ExampleBatch(trpo->model(), {5, 8, 11}, random);
    const torch::Tensor old_parameters = trpo->model().parameters().clone();
    const auto diagnostics = UpdateOnce(*trpo, batch);
    if (diagnostics.at("backtracks") < 1 || diagnostics.at("step_scale") == 0) continue;
    ++checked;
    TrpoConfig shorter = config;
    shorter.set_max_backtracks(static_cast<int32_t>(diagnostics.at("backtracks")) - 1);
    if (shorter.max_backtracks() == 0) continue;
    auto rejected = ExampleTrpo(shorter, ContinuousActions(2));
    const auto without = UpdateOnce(*rejected, batch);
    EXPECT_EQ(without.at("step_scale"), 0);
    // All but the value is as it was.
    const int64_t begin =
        trpo->model().network().network.ParametersOf(ActorCriticNetwork::kValue).offset;
    EXPECT_TRUE(torch::equal(rejected->model().parameters().narrow(0, 0, begin),
                             old_parameters.narrow(0, 0, begin)));
  }
  EXPECT_GT(checked, 2);
}

TEST(TrpoTest, WithoutAdvantagesThePolicyStaysAsItIs) {
  for (const ActionSpace& action : BothKindsOfActions()) {
    auto trpo = ExampleTrpo(ExampleConfig(), action);
    ActorCritic& model = trpo->model();
    const Network::Range value = model.network().network.ParametersOf(ActorCriticNetwork::kValue);
    model.parameters().narrow(0, value.offset, value.size).zero_();
    model.ParametersChanged();
    Random random(2);
    OnPolicyBatch batch = ExampleBatch(model, {5, 8, 11}, random);
    batch.rewards.zero_();
    const torch::Tensor before = model.parameters().clone();
    const auto diagnostics = UpdateOnce(*trpo, batch);
    EXPECT_TRUE(torch::equal(model.parameters(), before));
    EXPECT_EQ(diagnostics.at("step_scale"), 0);
    EXPECT_EQ(diagnostics.at("kl"), 0);
    EXPECT_GT(std::abs(diagnostics.at("entropy")), 0.1);
  }
}

TEST(TrpoTest, BothActorCriticsLearnTheSame) {
  for (const ActionSpace& action : BothKindsOfActions()) {
    auto fused = ExampleTrpo(ExampleConfig(), action);
    auto autograd =
        MakeTrpo(ExampleConfig(), WithParameters(OnGraph(fused->model().network())), Random(1));
    TrainThrice(*fused, 2);
    TrainThrice(*autograd, 2);
    EXPECT_TRUE(
        torch::allclose(fused->model().parameters(), autograd->model().parameters(), 1e-3, 1e-4));
  }
}

TEST(TrpoTest, GoesOnFromSavedStateBitForBit) {
  for (const ActionSpace& action : BothKindsOfActions())
    ExpectToGoOnFromSavedState(
        [&](uint64_t seed) { return ExampleTrpo(ExampleConfig(), action, seed); });
}

}  // namespace
}  // namespace cadre
