#include "learner/algorithms/trust_region/natural_gradient.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/example_batch.h"
#include "tests/learner/algorithms/trust_region/dense_fisher.h"

namespace cadre {
namespace {

const std::vector<int64_t> kLengths = {5, 8, 11};
constexpr double kMaxKl = 0.02;
constexpr double kDamping = 0.05;

NaturalGradientOptions Options(int64_t iterations) {
  NaturalGradientOptions options = NaturalGradientOptionsOf(TrpoConfig());
  options.max_kl = kMaxKl;
  options.entropy_coefficient = 0.1;
  options.conjugate_gradient.set_iterations(static_cast<int32_t>(iterations));
  options.conjugate_gradient.set_damping(kDamping);
  return options;
}

// An update that has begun, on steps of a policy a little older.
struct Example {
  Example(const ActionSpace& action, int64_t iterations) {
    natural = std::make_unique<NaturalGradient>(
        Options(iterations),
        WithParameters(OnKernels(ExampleNetwork(MlpModelConfig({6}), 3, action))), Random(1),
        DeviceOptions());
    Random random(2);
    batch = ExampleBatch(natural->model(), kLengths, random, 0.2);
    EXPECT_TRUE(natural->Begin(batch, /*collective=*/nullptr).ok());
  }
  ActorCritic& model() { return natural->model(); }
  torch::Tensor StepObservations() const {
    return batch.observations.only().index_select(0, batch.observation_rows).to(torch::kFloat64);
  }
  // GAE by its definition, normalised: the tests' own.
  torch::Tensor Advantages() {
    const torch::Tensor values = model().Values(batch.observations).clone();
    torch::Tensor advantages = torch::zeros({batch.steps()}, torch::kFloat64);
    for (size_t s = 0; s < batch.segments.size(); ++s) {
      const SegmentBounds& segment = batch.segments[s];
      double next = 0;
      for (int64_t t = segment.length - 1; t >= 0; --t) {
        const int64_t row = segment.first_step + static_cast<int64_t>(s) + t;
        const bool over = segment.terminated && t == segment.length - 1;
        const double following = over ? 0 : values[row + 1].item<double>();
        const double delta = batch.rewards[segment.first_step + t].item<double>() +
                             0.99 * following - values[row].item<double>();
        next = delta + 0.99 * 0.95 * next;
        advantages[segment.first_step + t] = next;
      }
    }
    return (advantages - advantages.mean()) / advantages.std();
  }

  std::unique_ptr<NaturalGradient> natural;
  OnPolicyBatch batch;
};

double RelativeError(const torch::Tensor& got, const torch::Tensor& wanted) {
  return ((got.to(torch::kFloat64) - wanted).norm() / wanted.norm()).item<double>();
}

TEST(NaturalGradientTest, TheDirectionIsTheDirectSolutionOfTheDenseSystem) {
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
    Example example(action, 300);
    const ActorCriticNetwork& network = example.model().network();
    const torch::Tensor parameters = example.model().parameters().clone();
    const torch::Tensor observations = example.StepObservations();
    // The surrogate's gradient through all parameters at once.
    const torch::Tensor leaf = parameters.to(torch::kFloat64).requires_grad_();
    const SurrogateSteps steps{example.batch.actions, example.batch.log_probs,
                               example.Advantages()};
    const torch::Tensor total =
        ComputeSurrogate(PolicyWithGraph(network, leaf, observations), steps, 0.1).total;
    const torch::Tensor g = torch::autograd::grad({total}, {leaf})[0];
    const torch::Tensor matrix = DenseFisher(network, parameters, observations) +
                                 kDamping * torch::eye(leaf.size(0), torch::kFloat64);
    const torch::Tensor x = torch::linalg_solve(matrix, g);

    const NaturalGradient::Direction direction = example.natural->FindDirection().value();
    EXPECT_LT(RelativeError(example.model().gradient(), g), 1e-5);
    EXPECT_LT(RelativeError(direction.x, x), 1e-4);
    EXPECT_LT(direction.squared_residual, 1e-9);
    const double scale = std::sqrt(2 * kMaxKl / x.dot(matrix.mv(x)).item<double>());
    EXPECT_NEAR(direction.scale, scale, 1e-4 * scale);
    EXPECT_TRUE(torch::equal(example.model().parameters(), parameters)) << "only looked";
  }
}

TEST(NaturalGradientTest, AnUnsolvedSystemStillHasTheLengthOfItsOwnDirection) {
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
    Example example(action, 2);
    const NaturalGradient::Direction direction = example.natural->FindDirection().value();
    EXPECT_GT(direction.squared_residual, 1e-9);
    const torch::Tensor matrix =
        DenseFisher(example.model().network(), example.model().parameters(),
                    example.StepObservations()) +
        kDamping * torch::eye(direction.x.size(0), torch::kFloat64);
    const torch::Tensor x = direction.x.to(torch::kFloat64);
    const double scale = std::sqrt(2 * kMaxKl / x.dot(matrix.mv(x)).item<double>());
    EXPECT_NEAR(direction.scale, scale, 1e-4 * scale);
  }
}

TEST(NaturalGradientTest, OutcomesAreThoseOfTheMovedPolicy) {
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
    Example example(action, 10);
    const SurrogateSteps steps{example.batch.actions, example.batch.log_probs,
                               example.Advantages()};
    const auto heads = [&] {
      return WithoutGraph(PolicyWithGraph(example.model().network(),
                                          example.model().parameters().to(torch::kFloat64),
                                          example.StepObservations()));
    };
    const Heads before = heads();
    const NaturalGradient::Direction direction = example.natural->FindDirection().value();
    const NaturalGradient::Outcome outcome = example.natural->MoveTo(direction, 2.0).value();
    const Heads after = heads();
    EXPECT_GT(outcome.kl, 1e-4);
    EXPECT_NEAR(outcome.kl, MeanKl(before, after).item<double>(), 1e-5 * outcome.kl + 1e-9);
    const Surrogate surrogate = ComputeSurrogate(after, steps, 0.1);
    EXPECT_NEAR(outcome.improvement,
                (surrogate.total - ComputeSurrogate(before, steps, 0.1).total).item<double>(),
                1e-5);
    EXPECT_NEAR(outcome.entropy, surrogate.entropy.item<double>(), 1e-5);
  }
}

TEST(NaturalGradientTest, MovesBackBitForBit) {
  Example example(ContinuousActions(2), 10);
  const torch::Tensor before = example.model().parameters().clone();
  const Heads heads = example.model().Forward(example.batch.observations);
  const torch::Tensor means = heads.policy.clone();
  const NaturalGradient::Direction direction = example.natural->FindDirection().value();
  ASSERT_TRUE(example.natural->MoveTo(direction, direction.scale).ok());
  EXPECT_FALSE(torch::equal(example.model().parameters(), before));
  const NaturalGradient::Outcome outcome = example.natural->MoveBack();
  EXPECT_TRUE(torch::equal(example.model().parameters(), before));
  EXPECT_TRUE(torch::equal(example.model().Forward(example.batch.observations).policy, means));
  EXPECT_EQ(outcome.kl, 0);
  EXPECT_EQ(outcome.improvement, 0);
}

}  // namespace
}  // namespace cadre
