// N learners, each with a share of a batch, against one with all of it. PPO, which is for devices
// too: ppo_data_parallel_test.cc.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/optimization/collective_sums.h"
#include "learner/algorithms/optimization/gradient_descent.h"
#include "learner/algorithms/policy_gradient/a2c.h"
#include "learner/algorithms/policy_gradient/reinforce.h"
#include "learner/algorithms/trust_region/npg.h"
#include "learner/algorithms/trust_region/surrogate.h"
#include "learner/algorithms/trust_region/trpo.h"
#include "tests/learner/algorithms/shares_of_a_batch.h"

namespace cadre {
namespace {

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
              MakeA2cGradient(options,
                              WithParameters(OnKernels(ExamplePolicy(DiscreteActions(3))))),
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
              MakeReinforceGradient(config,
                                    WithParameters(OnKernels(ExamplePolicy(ContinuousActions(2))))),
              SgdWithClipping());
        },
        {"explained_variance", "episodes_learned"}, kUnequalLengths);
  }
}

// One minibatch of the value's regression for each epoch: the whole batch.
ValueFitConfig WholeBatchRegression() {
  ValueFitConfig config;
  config.set_learning_rate(1e-2);
  config.set_epochs(4);
  config.set_minibatch_size(1000);
  return config;
}

// Few steps leave the Fisher matrix near singular, where conjugate gradients in float32 lose a
// digit with each of the later iterations, however the sums are rounded: five keep enough.
template <typename Config>
Config NaturalConfig() {
  Config config;
  config.set_entropy_coefficient(0.01);
  config.mutable_conjugate_gradient()->set_iterations(5);
  *config.mutable_value() = WholeBatchRegression();
  return config;
}

Make NpgOf(const NpgConfig& config, const ActionSpace& action) {
  return
      [=] { return MakeNpg(config, WithParameters(OnKernels(ExamplePolicy(action))), Random(1)); };
}

Make TrpoOf(const TrpoConfig& config, const ActionSpace& action) {
  return
      [=] { return MakeTrpo(config, WithParameters(OnKernels(ExamplePolicy(action))), Random(1)); };
}

TEST(DataParallelTest, NpgLearnsWhatOneLearnerWithTheWholeBatchWould) {
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)})
    for (const auto& lengths : {kLengths, kUnequalLengths})
      ExpectLikeOneLearner(NpgOf(NaturalConfig<NpgConfig>(), action), {"explained_variance"},
                           lengths);
}

// Without damping the step is as long as the bound, and the line search has to go back.
TEST(DataParallelTest, TrpoLearnsWhatOneLearnerWithTheWholeBatchWould) {
  TrpoConfig config = NaturalConfig<TrpoConfig>();
  config.mutable_conjugate_gradient()->set_damping(0);
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
    const Make make = TrpoOf(config, action);
    double backtracks = 0;
    for (const auto& lengths : {kLengths, kUnequalLengths}) {
      ExpectLikeOneLearner(make, {"explained_variance"}, lengths);
      const Outcome one = Train(
          *make(), [](const OnPolicyBatch& batch) { return batch; }, lengths);
      for (const auto& update : one.diagnostics) {
        EXPECT_LE(update.at("kl"), config.max_kl());
        EXPECT_GT(update.at("step_scale"), 0);
        backtracks += update.at("backtracks");
      }
    }
    EXPECT_GT(backtracks, 0) << "the bound is never reached";
  }
}

TEST(DataParallelTest, TheBoundOfTrpoIsOnTheKlOverAllLearners) {
  TrpoConfig config = NaturalConfig<TrpoConfig>();
  config.set_max_kl(0.05);
  const ActionSpace action = ContinuousActions(2);
  Random random(4);
  const auto start = TrpoOf(config, action)();
  const OnPolicyBatch batch = ExampleBatch(start->model(), kUnequalLengths, random);
  const auto policy_of = [&](ActorCritic& model) {
    return InDouble(
        model.Forward(batch.observations.only().index_select(0, batch.observation_rows)));
  };
  const Heads before = policy_of(start->model());
  RunLearners(2, [&](Collective& collective) {
    const auto algorithm = TrpoOf(config, action)();
    algorithm->set_collective(&collective);
    const auto diagnostics = algorithm->Update(SegmentsOf(batch, 2 * collective.rank(), 2), 0);
    ASSERT_TRUE(diagnostics.ok());
    const std::map<std::string, double> numbers(diagnostics->begin(), diagnostics->end());
    EXPECT_GT(numbers.at("step_scale"), 0);
    EXPECT_LE(numbers.at("kl"), config.max_kl());
    const double kl = MeanKl(before, policy_of(algorithm->model())).item<double>();
    EXPECT_NEAR(numbers.at("kl"), kl, 1e-6 * kl);
  });
}

// Counts its sums, and changes what comes of the float32 ones of `size` numbers.
class RoundingOtherwise final : public Collective {
 public:
  RoundingOtherwise(Collective& all, int64_t size,
                    std::function<void(int64_t, torch::Tensor)> change)
      : all_(all), size_(size), change_(std::move(change)) {}

  int rank() const override { return all_.rank(); }
  int size() const override { return all_.size(); }
  absl::Status Sum(torch::Tensor values) override {
    ++sums_;
    const absl::Status status = all_.Sum(values);
    if (values.numel() == size_ && values.dtype() == torch::kFloat32) change_(changed_++, values);
    return status;
  }
  int64_t sums() const { return sums_; }
  int64_t changed() const { return changed_; }

 private:
  Collective& all_;
  const int64_t size_;
  const std::function<void(int64_t, torch::Tensor)> change_;
  int64_t sums_ = 0, changed_ = 0;
};

// Far more than a last bit, so that the second learner surely ends its conjugate gradients
// before the first: by the tolerance, as its gradient is all but 0, or for want of curvature.
TEST(DataParallelTest, LearnersOfWhichOneEndsSoonerAddUpAsOftenAndStayTheSame) {
  TrpoConfig config = NaturalConfig<TrpoConfig>();
  config.mutable_conjugate_gradient()->set_damping(0);
  NpgConfig npg = NaturalConfig<NpgConfig>();
  *npg.mutable_conjugate_gradient() = config.conjugate_gradient();
  const ActionSpace action = DiscreteActions(3);
  for (const Make& make : {TrpoOf(config, action), NpgOf(npg, action)}) {
    const torch::Tensor start = make()->model().parameters().clone();
    for (const bool by_tolerance : {true, false}) {
      Outcome outcomes[2];
      int64_t sums[2], products[2];
      RunLearners(2, [&](Collective& all) {
        const int rank = all.rank();
        const int64_t each = 1 + config.conjugate_gradient().iterations();
        const auto change = [=](int64_t sum, torch::Tensor values) {
          const bool gradient = sum % each == 0;
          if (rank == 1 && gradient == by_tolerance) values.mul_(gradient ? 1e-6 : 0);
        };
        RoundingOtherwise collective(all, start.numel(), change);
        const auto algorithm = make();
        algorithm->set_collective(&collective);
        outcomes[rank] = Train(
            *algorithm, [&](const OnPolicyBatch& batch) { return SegmentsOf(batch, 2 * rank, 2); });
        sums[rank] = collective.sums();
        products[rank] = collective.changed();
      });
      EXPECT_EQ(sums[0], sums[1]);
      EXPECT_EQ(products[0], 3 * (1 + config.conjugate_gradient().iterations()));
      EXPECT_EQ(products[1], products[0]);
      ASSERT_EQ(outcomes[0].diagnostics.size(), 3);
      EXPECT_TRUE(torch::isfinite(outcomes[0].parameters).all().item<bool>());
      EXPECT_FALSE(torch::equal(outcomes[0].parameters, start));
      EXPECT_TRUE(torch::equal(outcomes[0].parameters, outcomes[1].parameters));
      EXPECT_EQ(outcomes[0].diagnostics, outcomes[1].diagnostics);
    }
  }
}

// Whose episodes go on: it has no whole one yet, and takes part all the same.
TEST(DataParallelTest, ALearnerWithoutEpisodesTakesTheStepsOfTheOthers) {
  ReinforceConfig config;
  config.set_normalize_advantages(true);
  config.set_baseline(ReinforceConfig::TIME_DEPENDENT);
  const auto make = [=] {
    return MakeGradientDescent(
        MakeReinforceGradient(config, WithParameters(OnKernels(ExamplePolicy(DiscreteActions(3))))),
        SgdWithClipping());
  };
  const Outcome one =
      Train(*make(), [](const OnPolicyBatch& batch) { return SegmentsOf(batch, 0, 2); });
  std::vector<Outcome> outcomes(2);
  RunLearners(2, [&](Collective& collective) {
    const auto algorithm = make();
    algorithm->set_collective(&collective);
    outcomes[collective.rank()] = Train(*algorithm, [&](const OnPolicyBatch& batch) {
      return SegmentsOf(batch, 0, collective.rank() == 0 ? 2 : 0);
    });
  });
  EXPECT_TRUE(torch::equal(outcomes[0].parameters, outcomes[1].parameters));
  EXPECT_LE((outcomes[0].parameters - one.parameters).abs().max().item<double>(), kTolerance);
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
