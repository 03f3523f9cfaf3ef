#include "learner/algorithms/trust_region/npg.h"

#include <memory>

#include "gtest/gtest.h"
#include "learner/algorithms/trust_region/trpo.h"
#include "tests/learner/algorithms/trust_region/trust_region_example.h"

namespace cadre {
namespace {

NpgConfig ExampleConfig(double max_kl = 0.01) {
  NpgConfig config;
  config.set_max_kl(max_kl);
  config.mutable_value()->set_minibatch_size(8);
  config.mutable_value()->set_epochs(2);
  return config;
}

TEST(NpgTest, AShortUndampedStepHasTheDivergenceOfTheBound) {
  for (const ActionSpace& action : BothKindsOfActions()) {
    NpgConfig config = ExampleConfig(1e-6);
    config.mutable_conjugate_gradient()->set_iterations(5);
    config.mutable_conjugate_gradient()->set_damping(0);
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      auto npg = MakeNpg(config, TrustRegionModel(action, seed), Random(1));
      Random random(seed);
      const OnPolicyBatch batch = ExampleBatch(npg->model(), {5, 8, 11}, random);
      const Heads before = PolicyOf(*npg, batch);
      const auto diagnostics = UpdateOnce(*npg, batch);
      const double kl = MeanKl(before, PolicyOf(*npg, batch)).item<double>();
      EXPECT_NEAR(kl, 1e-6, 0.05e-6);
      EXPECT_NEAR(diagnostics.at("kl"), kl, 1e-12);
      EXPECT_GT(diagnostics.at("surrogate_improvement"), 0);
    }
  }
}

TEST(NpgTest, IsTrpoWithoutTheLineSearch) {
  int compared = 0;
  for (const ActionSpace& action : BothKindsOfActions()) {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      auto npg = MakeNpg(ExampleConfig(), TrustRegionModel(action), Random(1));
      TrpoConfig config;
      *config.mutable_value() = ExampleConfig().value();
      auto trpo = MakeTrpo(config, TrustRegionModel(action), Random(1));
      Random random(seed);
      const OnPolicyBatch batch = ExampleBatch(npg->model(), {5, 8, 11}, random);
      UpdateOnce(*npg, batch);
      const auto diagnostics = UpdateOnce(*trpo, batch);
      if (diagnostics.at("step_scale") == 0 || diagnostics.at("backtracks") > 0) continue;
      ++compared;
      EXPECT_TRUE(torch::equal(npg->model().parameters(), trpo->model().parameters()));
    }
  }
  EXPECT_GT(compared, 5);
}

TEST(NpgTest, GoesOnFromSavedStateBitForBit) {
  for (const ActionSpace& action : BothKindsOfActions())
    ExpectToGoOnFromSavedState([&](uint64_t seed) {
      return MakeNpg(ExampleConfig(), TrustRegionModel(action), Random(seed));
    });
}

}  // namespace
}  // namespace cadre
