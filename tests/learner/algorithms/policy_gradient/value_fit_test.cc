#include "learner/algorithms/policy_gradient/value_fit.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <torch/autograd.h>
#include <torch/optim/adam.h>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/learner/algorithms/example_batch.h"
#include "tests/learner/parallel/learner_group.h"

namespace cadre {
namespace {

constexpr int64_t kSteps = 30;

struct Example {
  explicit Example(const ActionSpace& action = ContinuousActions(2)) {
    network = ExampleNetwork(MlpModelConfig({8, 7}), 3, action);
    Random random(1);
    model = OnKernels(network);
    model->parameters().copy_(RandomTensor({network.layout().size()}, random, 0.5));
    model->ParametersChanged();
    parameters = model->parameters();
    observations = RandomTensor({kSteps, 3}, random);
    returns = observations.select(1, 0) - observations.select(1, 1).square();
    config.set_learning_rate(1e-2);
    config.set_epochs(1);
    config.set_minibatch_size(kSteps);
  }
  int64_t begin() const { return range().offset; }
  int64_t end() const { return range().offset + range().size; }
  Network::Range range() const { return network.network.ParametersOf(ActorCriticNetwork::kValue); }
  torch::Tensor Values() const { return model->Values(observations).clone(); }
  // The blocks of the value's layers: weight, bias, weight, ...
  std::vector<ParameterBlock> ValueBlocks() const {
    std::vector<ParameterBlock> blocks;
    for (const ParameterBlock& block : network.layout().blocks())
      if (absl::StartsWith(block.name, "value.")) blocks.push_back(block);
    return blocks;
  }
  double Loss() const { return (Values() - returns).square().mean().item<double>(); }

  ActorCriticNetwork network;
  std::unique_ptr<ActorCritic> model;
  torch::Tensor parameters, observations, returns;  // The model's own parameters.
  ValueFitConfig config;
};

// With `steps` of its steps from `first` on.
double Fit(Example& example, Collective* collective = nullptr, int64_t first = 0,
           int64_t steps = kSteps) {
  return ValueFit(example.config, *example.model, {}, Random(1))
      .Fit(example.observations.narrow(0, first, steps), example.returns.narrow(0, first, steps),
           /*progress=*/0, collective)
      .value();
}

TEST(ValueFitTest, IsAdamOnTheMeanSquaredError) {
  Example example;
  example.config.set_epochs(5);
  // The same by LibTorch alone, over the value's layers as leaves.
  std::vector<torch::Tensor> leaves;
  for (const ParameterBlock& block : example.ValueBlocks()) {
    leaves.push_back(
        example.parameters.narrow(0, block.offset, block.size).clone().view(block.shape));
    leaves.back().requires_grad_();
  }
  torch::optim::Adam adam(leaves, torch::optim::AdamOptions(1e-2).eps(1e-8));
  for (int epoch = 0; epoch < 5; ++epoch) {
    torch::Tensor x = example.observations;
    for (size_t i = 0; i < leaves.size(); i += 2) {
      x = torch::addmm(leaves[i + 1], x, leaves[i].t());
      if (i + 2 < leaves.size()) x = x.tanh();
    }
    adam.zero_grad();
    (x.squeeze(1) - example.returns).square().mean().backward();
    adam.step();
  }
  Fit(example);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const ParameterBlock block = example.ValueBlocks()[i];
    const torch::Tensor fitted = example.parameters.narrow(0, block.offset, block.size);
    EXPECT_TRUE(torch::allclose(fitted, leaves[i].detach().view(-1), 1e-4, 1e-5)) << i;
  }
}

TEST(ValueFitTest, MovesTheValuesParametersAlone) {
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
    Example example(action);
    const torch::Tensor before = example.parameters.clone();
    Fit(example);
    const torch::Tensor moved = example.parameters.ne(before);
    EXPECT_EQ(moved.narrow(0, 0, example.begin()).sum().item<int64_t>(), 0);
    EXPECT_GT(
        moved.narrow(0, example.begin(), example.end() - example.begin()).sum().item<int64_t>(),
        example.end() - example.begin() - 5);
    const int64_t rest = moved.size(0) - example.end();
    EXPECT_EQ(moved.narrow(0, example.end(), rest).sum().item<int64_t>(), 0);
  }
}

TEST(ValueFitTest, LearnsAFunctionOfTheObservation) {
  Example example;
  example.config.set_epochs(300);
  example.config.set_minibatch_size(8);
  const double before = example.Loss();
  const double reported = Fit(example);
  EXPECT_GT(before, 0.5);
  EXPECT_LT(example.Loss(), 0.05 * before);
  EXPECT_LT(reported, 0.1 * before);
}

TEST(ValueFitTest, AnEpochHasEveryStepOnceWhateverTheMinibatches) {
  // Without steps worth the name, the loss it reports is the mean over all steps.
  for (const int size : {1, 7, 30, 1000}) {
    Example example;
    example.config.set_learning_rate(1e-30);
    example.config.set_minibatch_size(size);
    EXPECT_NEAR(Fit(example), example.Loss(), 1e-5) << size;
  }
}

// The mean is over steps, not over learners, of which one has two thirds.
TEST(ValueFitTest, LearnersFitWhatOneWithAllStepsWould) {
  Example one;
  one.config.set_epochs(20);
  one.config.set_minibatch_size(2 * kSteps);  // A learner's share of it are all its steps.
  const double loss = Fit(one);
  RunLearners(2, [&](Collective& collective) {
    Example example;
    example.config = one.config;
    const double reported = collective.rank() == 0 ? Fit(example, &collective, 0, 20)
                                                   : Fit(example, &collective, 20, 10);
    EXPECT_TRUE(torch::allclose(example.parameters, one.parameters, 1e-5, 1e-5));
    EXPECT_NEAR(reported, loss, 1e-5 * loss);
  });
}

TEST(ValueFitTest, ALearnerWhoseStepsAreUsedUpTakesTheOthersSteps) {
  std::vector<torch::Tensor> parameters(3);
  RunLearners(3, [&](Collective& collective) {
    Example example;
    example.config.set_epochs(3);
    example.config.set_minibatch_size(12);  // Four of each.
    const int64_t steps[] = {17, 4, 9};
    const int64_t first[] = {0, 17, 21};
    const int rank = collective.rank();
    const torch::Tensor before = example.parameters.clone();
    Fit(example, &collective, first[rank], steps[rank]);
    EXPECT_FALSE(torch::equal(example.parameters, before));
    parameters[rank] = example.parameters;
  });
  EXPECT_TRUE(torch::equal(parameters[1], parameters[0]));
  EXPECT_TRUE(torch::equal(parameters[2], parameters[0]));
}

}  // namespace
}  // namespace cadre
