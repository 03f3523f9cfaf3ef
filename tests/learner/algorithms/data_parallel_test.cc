// N learners, each with a share of a batch, against one with all of it.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/a2c.h"
#include "learner/algorithms/collective_sums.h"
#include "learner/algorithms/gradient_descent.h"
#include "learner/algorithms/ppo.h"
#include "learner/algorithms/reinforce.h"
#include "tests/learner/algorithms/example_batch.h"
#include "tests/learner/learner_group.h"

namespace cadre {
namespace {

constexpr double kTolerance = 1e-5;
const std::vector<int64_t> kLengths = {6, 6, 6, 6};
const std::vector<int64_t> kUnequalLengths = {2, 5, 3, 9};

using Make = std::function<std::unique_ptr<OnPolicyAlgorithm>()>;

// `count` segments of a batch from the `first`-th on.
OnPolicyBatch SegmentsOf(const OnPolicyBatch& batch, int64_t first, int64_t count) {
  const int64_t step = batch.segments[first].first_step;
  const int64_t row = step + first;
  OnPolicyBatch part;
  int64_t steps = 0;
  for (int64_t s = first; s < first + count; ++s) {
    part.segments.push_back(batch.segments[s]);
    part.segments.back().first_step = steps;
    steps += batch.segments[s].length;
  }
  part.observations = batch.observations.narrow(0, row, steps + count).clone();
  part.observation_rows = batch.observation_rows.narrow(0, step, steps) - row;
  part.actions = batch.actions.narrow(0, step, steps).clone();
  part.rewards = batch.rewards.narrow(0, step, steps).clone();
  part.log_probs = batch.log_probs.narrow(0, step, steps).clone();
  return part;
}

struct Outcome {
  torch::Tensor parameters;
  std::vector<std::map<std::string, double>> diagnostics;  // Of each update.
};

// Three updates. `part` makes a learner's share of each batch.
Outcome Train(OnPolicyAlgorithm& algorithm,
              const std::function<OnPolicyBatch(const OnPolicyBatch&)>& part,
              const std::vector<int64_t>& lengths = kLengths) {
  auto behaviour = WithParameters(MakeFusedActorCritic(algorithm.model().network()));
  Random random(2);
  Outcome outcome;
  for (int i = 0; i < 3; ++i) {
    const OnPolicyBatch batch = ExampleBatch(*behaviour, lengths, random);
    const auto diagnostics = algorithm.Update(part(batch), 0.1 * i);
    EXPECT_TRUE(diagnostics.ok()) << diagnostics.status();
    if (!diagnostics.ok()) break;
    outcome.diagnostics.emplace_back(diagnostics->begin(), diagnostics->end());
  }
  outcome.parameters = algorithm.model().parameters().clone();
  return outcome;
}

std::vector<Outcome> TrainTogether(const Make& make, int learners,
                                   const std::vector<int64_t>& lengths) {
  std::vector<Outcome> outcomes(learners);
  RunLearners(learners, [&](Collective& collective) {
    const auto algorithm = make();
    algorithm->set_collective(&collective);
    const int64_t count = static_cast<int64_t>(kLengths.size()) / learners;
    const auto part = [&](const OnPolicyBatch& batch) {
      return SegmentsOf(batch, collective.rank() * count, count);
    };
    outcomes[collective.rank()] = Train(*algorithm, part, lengths);
  });
  return outcomes;
}

// `means`: diagnostics that are the mean over shares, not what the whole batch has.
void ExpectLikeOneLearner(const Make& make, const std::vector<std::string>& means = {},
                          const std::vector<int64_t>& lengths = kLengths) {
  const Outcome one = Train(
      *make(), [](const OnPolicyBatch& batch) { return batch; }, lengths);
  const torch::Tensor before = make()->model().parameters();
  ASSERT_GT((one.parameters - before).abs().max().item<double>(), 1e-3) << "nothing was learned";
  for (const int learners : {2, 4}) {
    const std::vector<Outcome> all = TrainTogether(make, learners, lengths);
    for (const Outcome& outcome : all) {
      EXPECT_TRUE(torch::equal(outcome.parameters, all[0].parameters)) << "not the same bits";
      EXPECT_EQ(outcome.diagnostics, all[0].diagnostics);
    }
    EXPECT_LE((all[0].parameters - one.parameters).abs().max().item<double>(), kTolerance)
        << learners << " learners";
    for (size_t i = 0; i < one.diagnostics.size(); ++i) {
      for (const auto& [name, value] : one.diagnostics[i]) {
        if (std::find(means.begin(), means.end(), name) != means.end()) continue;
        EXPECT_NEAR(all[0].diagnostics[i].at(name), value, kTolerance * (1 + std::abs(value)))
            << name << " of " << learners << " learners";
      }
    }
  }
}

ActorCriticNetwork ExamplePolicy(const ActionSpace& action) {
  return ExampleNetwork(MlpModelConfig({9}), 4, action);
}

// One minibatch for each epoch: the whole batch.
PpoConfig WholeBatches() {
  PpoConfig config;
  config.set_learning_rate(1e-2);
  config.set_epochs(4);
  config.set_minibatch_size(24);
  return config;
}

Make PpoOf(const PpoConfig& config, const ActionSpace& action = DiscreteActions(3)) {
  return [=] {
    return MakePpo(config, WithParameters(MakeFusedActorCritic(ExamplePolicy(action))), Random(1));
  };
}

TEST(DataParallelTest, PpoLearnsWhatOneLearnerWithTheWholeBatchWould) {
  ExpectLikeOneLearner(PpoOf(WholeBatches()), {"explained_variance"});
}

TEST(DataParallelTest, PpoDoesSoWithContinuousActionsAndAClippedValue) {
  PpoConfig config = WholeBatches();
  config.set_value_clip_range(0.1);
  config.set_entropy_coefficient(0.01);
  config.set_max_gradient_norm(0.1);
  ExpectLikeOneLearner(PpoOf(config, ContinuousActions(2)), {"explained_variance"});
}

TEST(DataParallelTest, PpoDoesSoWithTheAdaptivePenalty) {
  PpoConfig config = WholeBatches();
  config.set_objective(PpoConfig::ADAPTIVE_KL);
  config.set_kl_target(1e-3);
  ExpectLikeOneLearner(PpoOf(config), {"explained_variance"});
}

TEST(DataParallelTest, PpoStopsOnTheMeanKlForAll) {
  PpoConfig config = WholeBatches();
  config.set_epochs(20);
  config.set_learning_rate(0.03);
  config.set_target_kl(0.01);
  const Make make = PpoOf(config);
  const Outcome one = Train(*make(), [](const OnPolicyBatch& batch) { return batch; });
  EXPECT_LT(one.diagnostics[0].at("epochs"), 20) << "the bound is never reached";
  ExpectLikeOneLearner(make, {"explained_variance"});
}

TEST(DataParallelTest, LearnersWithUnequalSharesTakeTheSameSteps) {
  PpoConfig config = WholeBatches();
  config.set_minibatch_size(4);  // Two steps of each.
  std::vector<Outcome> outcomes(2);
  RunLearners(2, [&](Collective& collective) {
    const auto algorithm = PpoOf(config)();
    algorithm->set_collective(&collective);
    outcomes[collective.rank()] = Train(*algorithm, [&](const OnPolicyBatch& batch) {
      return collective.rank() == 0 ? SegmentsOf(batch, 0, 3) : SegmentsOf(batch, 3, 1);
    });
  });
  ASSERT_EQ(outcomes[0].diagnostics.size(), 3);
  EXPECT_TRUE(torch::equal(outcomes[0].parameters, outcomes[1].parameters));
  EXPECT_EQ(outcomes[0].diagnostics, outcomes[1].diagnostics);
}

OptimizerConfig SgdWithClipping() {
  OptimizerConfig config;
  config.mutable_sgd();
  config.set_learning_rate(0.1);
  config.set_max_gradient_norm(0.5);
  return config;
}

// Each learner has another number of steps: the mean is over steps, not over learners.
TEST(DataParallelTest, A2cLearnsWhatOneLearnerWithTheWholeBatchWould) {
  for (const bool normalize : {false, true}) {
    A2cOptions options{.coefficients = {.value = 0.5, .entropy = 0.01}};
    options.normalize_advantages = normalize;
    ExpectLikeOneLearner(
        [=] {
          return MakeGradientDescent(
              MakeA2cGradient(
                  options, WithParameters(MakeFusedActorCritic(ExamplePolicy(DiscreteActions(3))))),
              SgdWithClipping());
        },
        {"explained_variance"}, kUnequalLengths);
  }
}

TEST(DataParallelTest, ReinforceLearnsWhatOneLearnerWithTheWholeBatchWould) {
  for (const auto baseline : {ReinforceConfig::NONE, ReinforceConfig::CONSTANT_BASELINE,
                              ReinforceConfig::TIME_DEPENDENT, ReinforceConfig::VALUE}) {
    ReinforceConfig config;
    config.set_baseline(baseline);
    config.set_normalize_advantages(true);
    ExpectLikeOneLearner(
        [=] {
          return MakeGradientDescent(
              MakeReinforceGradient(config, WithParameters(MakeFusedActorCritic(
                                                ExamplePolicy(ContinuousActions(2))))),
              SgdWithClipping());
        },
        {"explained_variance", "episodes_learned"}, kUnequalLengths);
  }
}

// Whose segments go on: it has no episode yet, and takes part all the same.
TEST(DataParallelTest, ALearnerWithoutEpisodesTakesTheStepsOfTheOthers) {
  ReinforceConfig config;
  config.set_normalize_advantages(true);
  config.set_baseline(ReinforceConfig::TIME_DEPENDENT);
  const auto make = [=] {
    return MakeGradientDescent(
        MakeReinforceGradient(
            config, WithParameters(MakeFusedActorCritic(ExamplePolicy(DiscreteActions(3))))),
        SgdWithClipping());
  };
  const Outcome one =
      Train(*make(), [](const OnPolicyBatch& batch) { return SegmentsOf(batch, 0, 2); });
  std::vector<Outcome> outcomes(2);
  RunLearners(2, [&](Collective& collective) {
    const auto algorithm = make();
    algorithm->set_collective(&collective);
    outcomes[collective.rank()] = Train(*algorithm, [&](const OnPolicyBatch& batch) {
      OnPolicyBatch part = SegmentsOf(batch, 2 * collective.rank(), 2);
      if (collective.rank() == 1)
        for (SegmentBounds& segment : part.segments)
          segment = {segment.first_step, segment.length, false, true, segment.origin};
      return part;
    });
  });
  EXPECT_TRUE(torch::equal(outcomes[0].parameters, outcomes[1].parameters));
  EXPECT_LE((outcomes[0].parameters - one.parameters).abs().max().item<double>(), kTolerance);
}

TEST(DataParallelTest, ALearnerThatIsLostEndsTheUpdateOfTheOthers) {
  RunLearners(2, [](Collective& collective) {
    if (collective.rank() == 1) return;
    const auto ppo = PpoOf(WholeBatches())();
    ppo->set_collective(&collective);
    Random random(2);
    EXPECT_TRUE(
        absl::IsUnavailable(ppo->Update(ExampleBatch(ppo->model(), kLengths, random), 0).status()));
  });
}

TEST(CollectiveSumsTest, RowsAreGatheredInTheOrderOfRanks) {
  RunLearners(3, [](Collective& collective) {
    const double rank = collective.rank();
    const auto rows = GatherRows(&collective, {rank, 10 * rank});
    ASSERT_TRUE(rows.ok());
    EXPECT_TRUE(torch::equal(
        *rows, torch::tensor({{0.0, 0.0}, {1.0, 10.0}, {2.0, 20.0}}, torch::kFloat64)));
    EXPECT_EQ(LeastOverLearners(&collective, 7 - collective.rank()).value(), 5);
  });
}

TEST(CollectiveSumsTest, AloneTheyChangeNothing) {
  double values[] = {1.5, -2};
  ASSERT_TRUE(AverageOverLearners(nullptr, absl::MakeSpan(values)).ok());
  EXPECT_EQ(values[0], 1.5);
  EXPECT_EQ(values[1], -2);
  EXPECT_EQ(LeastOverLearners(nullptr, 7).value(), 7);
}

TEST(CollectiveSumsTest, NumbersTravelBesideTheGradient) {
  RunLearners(2, [](Collective& collective) {
    const float sign = collective.rank() == 0 ? 1.0f : -1.0f;
    torch::Tensor gradient = torch::tensor({2 * sign, 3.0f}), buffer;
    double values[] = {0.5 * sign, 4};
    ASSERT_TRUE(AverageGradient(collective, gradient, absl::MakeSpan(values), buffer).ok());
    EXPECT_TRUE(torch::equal(gradient, torch::tensor({0.0f, 3.0f})));
    EXPECT_EQ(values[0], 0);
    EXPECT_EQ(values[1], 4);
  });
}

}  // namespace
}  // namespace cadre
