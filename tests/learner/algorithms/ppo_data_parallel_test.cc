// N learners with PPO, each with a share of a batch, against one with all of it: on the CPU's
// kernels, and in tensor operations on the device of CADRE_TEST_DEVICE, "cpu" where it is not set.
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/policy_gradient/ppo.h"
#include "tests/learner/algorithms/shares_of_a_batch.h"
#include "tests/learner/algorithms/test_device.h"

namespace cadre {
namespace {

// One minibatch for each epoch: the whole batch.
PpoConfig WholeBatches() {
  PpoConfig config;
  config.set_learning_rate(1e-2);
  config.set_epochs(4);
  config.set_minibatch_size(24);
  config.set_adam_epsilon(1e-3);  // A gradient of nearly zero, rounded otherwise, moves little.
  return config;
}

Make PpoOf(const PpoConfig& config, const ActionSpace& action = DiscreteActions(3)) {
  return
      [=] { return MakePpo(config, WithParameters(OnKernels(ExamplePolicy(action))), Random(1)); };
}

// In tensor operations, on the device of CADRE_TEST_DEVICE.
Make PpoOnDeviceOf(const PpoConfig& config, const ActionSpace& action = DiscreteActions(3)) {
  return [=] {
    const DeviceOptions options = TestDevice();
    return MakePpo(config, WithParameters(OnGraph(ExamplePolicy(action), options.device)),
                   Random(1), options);
  };
}

TEST(PpoDataParallelTest, PpoLearnsWhatOneLearnerWithTheWholeBatchWould) {
  ExpectLikeOneLearner(PpoOf(WholeBatches()), {"explained_variance"});
  ExpectLikeOneLearner(PpoOnDeviceOf(WholeBatches()), {"explained_variance"});
}

TEST(PpoDataParallelTest, PpoDoesSoWithContinuousActionsAndAClippedValue) {
  PpoConfig config = WholeBatches();
  config.set_value_clip_range(0.1);
  config.set_entropy_coefficient(0.01);
  config.set_max_gradient_norm(0.1);
  ExpectLikeOneLearner(PpoOf(config, ContinuousActions(2)), {"explained_variance"});
  ExpectLikeOneLearner(PpoOnDeviceOf(config, ContinuousActions(2)), {"explained_variance"});
}

TEST(PpoDataParallelTest, PpoDoesSoWithTheAdaptivePenalty) {
  PpoConfig config = WholeBatches();
  config.set_objective(PpoConfig::ADAPTIVE_KL);
  config.set_kl_target(1e-3);
  ExpectLikeOneLearner(PpoOf(config), {"explained_variance"});
}

TEST(PpoDataParallelTest, PpoStopsOnTheMeanKlForAll) {
  PpoConfig config = WholeBatches();
  config.set_epochs(20);
  config.set_learning_rate(0.03);
  config.set_target_kl(0.01);
  for (const Make& make : {PpoOf(config), PpoOnDeviceOf(config)}) {
    const Outcome one = Train(*make(), [](const OnPolicyBatch& batch) { return batch; });
    EXPECT_LT(one.diagnostics[0].at("epochs"), 20) << "the bound is never reached";
    ExpectLikeOneLearner(make, {"explained_variance"});
  }
}

TEST(PpoDataParallelTest, LearnersWithUnequalSharesTakeTheSameSteps) {
  PpoConfig config = WholeBatches();
  config.set_minibatch_size(4);  // Two steps of each.
  for (const Make& make : {PpoOf(config), PpoOnDeviceOf(config)}) {
    std::vector<Outcome> outcomes(2);
    RunLearners(2, [&](Collective& collective) {
      const auto algorithm = make();
      algorithm->set_collective(&collective);
      outcomes[collective.rank()] = Train(*algorithm, [&](const OnPolicyBatch& batch) {
        return collective.rank() == 0 ? SegmentsOf(batch, 0, 3) : SegmentsOf(batch, 3, 1);
      });
    });
    ASSERT_EQ(outcomes[0].diagnostics.size(), 3);
    EXPECT_TRUE(torch::equal(outcomes[0].parameters, outcomes[1].parameters));
    EXPECT_EQ(outcomes[0].diagnostics, outcomes[1].diagnostics);
  }
}

TEST(PpoDataParallelTest, ALearnerThatIsLostEndsTheUpdateOfTheOthers) {
  RunLearners(2, [](Collective& collective) {
    if (collective.rank() == 1) return;
    const auto ppo = PpoOf(WholeBatches())();
    ppo->set_collective(&collective);
    Random random(2);
    EXPECT_TRUE(
        absl::IsUnavailable(ppo->Update(ExampleBatch(ppo->model(), kLengths, random), 0).status()));
  });
}

}  // namespace
}  // namespace cadre
