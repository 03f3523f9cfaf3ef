// N learners from replay, each with a share of a batch, against one with all of it.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/normal_noise.h"
#include "learner/algorithms/off_policy.h"
#include "tests/learner/algorithms/actor_critic_example.h"
#include "tests/learner/learner_group.h"

namespace cadre {
namespace {

constexpr double kTolerance = 1e-5;
constexpr int64_t kBatch = 32;
constexpr int64_t kObservationSize = 3;
constexpr int kUpdates = 6;  // TD3 moves its policy in every other one.

OffPolicyBatch RowsOf(const OffPolicyBatch& batch, int64_t first, int64_t count) {
  const auto rows = [&](const torch::Tensor& column) {
    return column.narrow(0, first, count).clone();
  };
  return {.observations = rows(batch.observations),
          .actions = rows(batch.actions),
          .rewards = rows(batch.rewards),
          .next_observations = rows(batch.next_observations),
          .discounts = rows(batch.discounts),
          .weights = rows(batch.weights)};
}

std::unique_ptr<OffPolicyAlgorithm> Make(const ExperimentConfig& config,
                                         const ActionSpace& action) {
  return MakeOffPolicyAlgorithm(config, VectorSpace(kObservationSize), action, Random(1)).value();
}

struct Outcome {
  torch::Tensor parameters;
  std::vector<float> priorities;  // Of the last batch.
};

// With share `rank` of `learners` of each batch.
Outcome TrainShare(OffPolicyAlgorithm& algorithm, const ActionSpace& action, int rank,
                   int learners) {
  Random random(7);
  Outcome outcome;
  outcome.priorities.resize(kBatch / learners);
  for (int i = 0; i < kUpdates; ++i) {
    const OffPolicyBatch batch = TransitionsIn(action, kBatch, kObservationSize, random);
    const OffPolicyBatch share = RowsOf(batch, rank * kBatch / learners, kBatch / learners);
    EXPECT_TRUE(algorithm.Update(share, 0.1 * i, absl::MakeSpan(outcome.priorities)).ok());
  }
  outcome.parameters = algorithm.acting_parameters().clone();
  return outcome;
}

void ExpectLikeOneLearner(const ExperimentConfig& config, const ActionSpace& action) {
  const auto alone = Make(config, action);
  const torch::Tensor before = alone->acting_parameters().clone();
  const Outcome one = TrainShare(*alone, action, 0, 1);
  ASSERT_GT((one.parameters - before).abs().max().item<double>(), 1e-3) << "nothing was learned";
  for (const int learners : {2, 4}) {
    std::vector<Outcome> all(learners);
    RunLearners(learners, [&](Collective& collective) {
      const auto algorithm = Make(config, action);
      algorithm->set_collective(&collective);
      all[collective.rank()] = TrainShare(*algorithm, action, collective.rank(), learners);
    });
    std::vector<float> priorities;
    for (const Outcome& outcome : all) {
      EXPECT_TRUE(torch::equal(outcome.parameters, all[0].parameters)) << "not the same bits";
      priorities.insert(priorities.end(), outcome.priorities.begin(), outcome.priorities.end());
    }
    EXPECT_LE((all[0].parameters - one.parameters).abs().max().item<double>(), kTolerance)
        << learners << " learners";
    for (int64_t i = 0; i < kBatch; ++i)
      EXPECT_NEAR(priorities[i], one.priorities[i], 1e-4 * (1 + one.priorities[i])) << "row " << i;
  }
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
  RunLearners(2, [](Collective& collective) {
    if (collective.rank() == 1) return;
    ExperimentConfig config = SmallModel();
    config.mutable_sac();
    const ActionSpace action = BoundedActions({-1}, {1});
    const auto sac = Make(config, action);
    sac->set_collective(&collective);
    Random random(7);
    EXPECT_TRUE(absl::IsUnavailable(
        sac->Update(TransitionsIn(action, kBatch, kObservationSize, random), 0, {})));
  });
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
