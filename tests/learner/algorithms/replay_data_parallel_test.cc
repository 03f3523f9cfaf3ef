// N learners from replay, each with a share of a batch, against one with all of it: on the
// CPU's kernels, and in tensor operations on the device of CADRE_TEST_DEVICE, "cpu" where it is
// not set.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/device/normal_noise.h"
#include "learner/algorithms/off_policy.h"
#include "tests/learner/algorithms/actor_critic_example.h"
#include "tests/learner/algorithms/test_device.h"
#include "tests/learner/parallel/learner_group.h"

namespace cadre {
namespace {

constexpr double kTolerance = 1e-5;
constexpr int64_t kBatch = 32;
constexpr int64_t kObservationSize = 3;
// TD3 moves its policy in every other one, and a graph is recorded after three of its work.
constexpr int kUpdates = 10;

OffPolicyBatch RowsOf(const OffPolicyBatch& batch, int64_t first, int64_t count,
                      torch::Device device) {
  const auto rows = [&](const torch::Tensor& column) {
    return column.narrow(0, first, count).clone().to(device);
  };
  return {.observations = rows(batch.observations.only()),
          .actions = rows(batch.actions),
          .rewards = rows(batch.rewards),
          .next_observations = rows(batch.next_observations.only()),
          .discounts = rows(batch.discounts),
          .weights = rows(batch.weights)};
}

std::unique_ptr<OffPolicyAlgorithm> Make(const ExperimentConfig& config, const ActionSpace& action,
                                         bool on_device) {
  const ObservationSpace observation = VectorSpace(kObservationSize);
  return on_device
             ? MakeOffPolicyAlgorithm(config, observation, action, Random(1), TestDevice()).value()
             : MakeOffPolicyAlgorithm(config, observation, action, Random(1)).value();
}

struct Outcome {
  torch::Tensor parameters;
  std::vector<float> priorities;  // Of the last batch.
};

// With share `rank` of `learners` of each batch, which is on `device`.
Outcome TrainShare(OffPolicyAlgorithm& algorithm, const ActionSpace& action, int rank, int learners,
                   torch::Device device) {
  Random random(7);
  Outcome outcome;
  outcome.priorities.resize(kBatch / learners);
  for (int i = 0; i < kUpdates; ++i) {
    const OffPolicyBatch batch = TransitionsIn(action, kBatch, kObservationSize, random);
    const OffPolicyBatch share = RowsOf(batch, rank * kBatch / learners, kBatch / learners, device);
    EXPECT_TRUE(algorithm.Update(share, 0.1 * i, absl::MakeSpan(outcome.priorities)).ok());
  }
  outcome.parameters = algorithm.acting_parameters().clone();
  return outcome;
}

void ExpectLikeOneLearner(const ExperimentConfig& config, const ActionSpace& action,
                          bool on_device) {
  const auto alone = Make(config, action, on_device);
  const torch::Tensor before = alone->acting_parameters().clone();
  const torch::Device device = on_device ? TestDevice().device : torch::kCPU;
  const Outcome one = TrainShare(*alone, action, 0, 1, device);
  ASSERT_GT((one.parameters - before).abs().max().item<double>(), 1e-3) << "nothing was learned";
  for (const int learners : {2, 4}) {
    std::vector<Outcome> all(learners);
    RunLearners(learners, [&](Collective& collective) {
      const auto algorithm = Make(config, action, on_device);
      algorithm->set_collective(&collective);
      all[collective.rank()] = TrainShare(*algorithm, action, collective.rank(), learners, device);
    });
    std::vector<float> priorities;
    for (const Outcome& outcome : all) {
      EXPECT_TRUE(torch::equal(outcome.parameters, all[0].parameters)) << "not the same bits";
      priorities.insert(priorities.end(), outcome.priorities.begin(), outcome.priorities.end());
    }
    EXPECT_LE((all[0].parameters - one.parameters).abs().max().item<double>(), kTolerance)
        << learners << " learners" << (on_device ? " on a device" : "");
    for (int64_t i = 0; i < kBatch; ++i)
      EXPECT_NEAR(priorities[i], one.priorities[i], 1e-4 * (1 + one.priorities[i])) << "row " << i;
  }
}

void ExpectLikeOneLearner(const ExperimentConfig& config, const ActionSpace& action) {
  for (const bool on_device : {false, true}) ExpectLikeOneLearner(config, action, on_device);
}

ExperimentConfig SmallModel() {
  ExperimentConfig config;
  *config.mutable_model() = MlpModelConfig({9});
  return config;
}

TEST(ReplayDataParallelTest, DqnLearnsWhatOneLearnerWithTheWholeBatchWould) {
  ExperimentConfig config = SmallModel();
  config.mutable_dqn()->set_learning_rate(1e-2);
  config.mutable_dqn()->set_max_gradient_norm(0.5);
  config.mutable_dqn()->set_adam_epsilon(1e-3);
  config.mutable_dqn()->set_target_update_interval(3);
  ExpectLikeOneLearner(config, DiscreteActions(3));
}

TEST(ReplayDataParallelTest, DdpgLearnsWhatOneLearnerWithTheWholeBatchWould) {
  ExperimentConfig config = SmallModel();
  config.mutable_ddpg()->set_adam_epsilon(1e-3);
  ExpectLikeOneLearner(config, BoundedActions({-1, -2}, {1, 2}));
}

// Its noise is that of one learner, too.
TEST(ReplayDataParallelTest, Td3LearnsWhatOneLearnerWithTheWholeBatchWould) {
  ExperimentConfig config = SmallModel();
  config.mutable_td3()->set_adam_epsilon(1e-3);
  ExpectLikeOneLearner(config, BoundedActions({-1, -2}, {1, 2}));
}

TEST(ReplayDataParallelTest, SacLearnsWhatOneLearnerWithTheWholeBatchWould) {
  ExperimentConfig config = SmallModel();
  config.mutable_sac()->set_adam_epsilon(1e-3);
  ExpectLikeOneLearner(config, BoundedActions({-1, -2}, {1, 2}));
  ExpectLikeOneLearner(config, DiscreteActions(3));
}

TEST(ReplayDataParallelTest, ALearnerThatIsLostEndsTheUpdateOfTheOthers) {
  for (const bool on_device : {false, true}) {
    RunLearners(2, [on_device](Collective& collective) {
      if (collective.rank() == 1) return;
      ExperimentConfig config = SmallModel();
      config.mutable_sac();
      const ActionSpace action = BoundedActions({-1}, {1});
      const auto sac = Make(config, action, on_device);
      sac->set_collective(&collective);
      Random random(7);
      EXPECT_TRUE(absl::IsUnavailable(
          sac->Update(TransitionsIn(action, kBatch, kObservationSize, random), 0, {})));
    });
  }
}

TEST(NormalNoiseTest, SharesAreTheRowsOfWhatOneLearnerDraws) {
  Random whole_random(3);
  torch::Tensor whole = torch::empty({6, 3});
  FillNormal(whole_random, whole);
  RunLearners(2, [&](Collective& collective) {
    Random random(3);
    torch::Tensor share = torch::empty({3, 3});
    FillNormalShare(random, &collective, share);
    EXPECT_TRUE(torch::equal(share, whole.narrow(0, 3 * collective.rank(), 3)));
    EXPECT_EQ(random(), Random(whole_random)());
  });
}

}  // namespace
}  // namespace cadre
