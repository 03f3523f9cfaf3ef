// The small pieces under DDPG, TD3 and SAC: optimiser, targets, noise, temperature and
// what critics see.
#include "learner/algorithms/trained_networks.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/critic_input.h"
#include "learner/algorithms/normal_noise.h"
#include "learner/algorithms/polyak.h"
#include "learner/algorithms/temperature.h"
#include "tests/learner/algorithms/actor_critic_example.h"

namespace cadre {
namespace {

using Floats = std::vector<float>;

TEST(PolyakTest, TakesItsShareOfTheOnlineNetwork) {
  const Floats online = {1, -2, 8};
  Floats target = {5, 2, 0};
  FollowByPolyak(online, 0.25f, absl::MakeSpan(target));
  EXPECT_EQ(target, (Floats{4, 1, 2}));
}

TEST(PolyakTest, ARateOfOneCopies) {
  Random random(1);
  const Floats online = RandomFloats(101, random);
  Floats target = RandomFloats(101, random);
  FollowByPolyak(online, 1, absl::MakeSpan(target));
  EXPECT_EQ(target, online);
}

TEST(FlatAdamTest, TensorOperationsAreTheKernels) {
  Random random(1);
  constexpr int64_t kSize = 37;
  FlatAdam adam(kSize, 1e-3, torch::kCPU);
  torch::Tensor parameters = RandomTensor({kSize}, random);
  torch::Tensor other = parameters.clone();
  const torch::Tensor m = torch::zeros({kSize}), v = torch::zeros({kSize});
  for (int64_t step = 1; step <= 10; ++step) {
    const torch::Tensor gradient = RandomTensor({kSize}, random);
    adam.Step(parameters, gradient, 0.01);
    AdamStepOfTensors(other, gradient, step, 0.01, {.epsilon = 1e-3}, m, v);
  }
  ExpectClose(parameters, other, "parameters");
}

TEST(NormalNoiseTest, HasTheMomentsOfTheStandardNormal) {
  Random random(1);
  Floats noise(200001);
  FillNormal(random, absl::MakeSpan(noise));
  double sums[5] = {};
  double neighbours = 0;
  for (size_t i = 0; i < noise.size(); ++i) {
    double power = 1;
    for (double& sum : sums) {
      sum += power;
      power *= noise[i];
    }
    if (i > 0) neighbours += noise[i] * noise[i - 1];
  }
  const double n = static_cast<double>(noise.size());
  const double sigma = 1 / std::sqrt(n);
  EXPECT_NEAR(sums[1] / n, 0, 4 * sigma);
  EXPECT_NEAR(sums[2] / n, 1, 4 * std::sqrt(2) * sigma);
  EXPECT_NEAR(sums[3] / n, 0, 4 * std::sqrt(15) * sigma);
  EXPECT_NEAR(sums[4] / n, 3, 4 * std::sqrt(96) * sigma);
  EXPECT_NEAR(neighbours / n, 0, 4 * sigma);
}

TEST(NormalNoiseTest, DependsOnTheGeneratorAlone) {
  Random first(7), second(7);
  Floats noise(11);
  torch::Tensor tensor = torch::empty({11});
  FillNormal(first, absl::MakeSpan(noise));
  FillNormal(second, tensor);
  EXPECT_TRUE(torch::equal(torch::tensor(noise), tensor));
  EXPECT_EQ(first.state(), second.state());
}

TEST(TemperatureTest, RisesWhileTheEntropyIsBelowItsTarget) {
  SacConfig config;
  config.set_temperature(0.5);
  config.set_temperature_learning_rate(0.1);
  Temperature temperature(config, -1);
  EXPECT_FLOAT_EQ(temperature.value(), 0.5);
  // Adam's first step is the learning rate, whatever the gradient's size.
  temperature.Update(-1.5);
  EXPECT_NEAR(temperature.value(), 0.5 * std::exp(0.1), 1e-6);
  Temperature other(config, -1);
  other.Update(3);
  EXPECT_NEAR(other.value(), 0.5 * std::exp(-0.1), 1e-6);
}

TEST(TemperatureTest, TheGradientIsAlphaTimesTheExcessOfEntropy) {
  // A large epsilon makes Adam's first step lr * g / epsilon.
  SacConfig config;
  config.set_temperature(0.5);
  config.set_temperature_learning_rate(1);
  config.set_adam_epsilon(1);
  Temperature temperature(config, -1);
  const double gradient = 0.5 * (-0.99 + 1);
  temperature.Update(-0.99);
  EXPECT_NEAR(std::log(temperature.value() / 0.5), -gradient / (gradient + 1), 1e-6);
}

TEST(TemperatureTest, TheConfigsTargetGoesFirst) {
  SacConfig config;
  config.set_target_entropy(2);
  Temperature temperature(config, -1);
  temperature.Update(1);  // Below 2, above -1.
  EXPECT_GT(temperature.value(), 1);
}

TEST(CriticInputTest, ScalesActionsFromTheirBounds) {
  const ActionSpace action = BoundedActions({-2, 0}, {2, 3});
  CriticInput input(1, action, torch::kCPU);
  input.SetObservations(torch::tensor(Floats{7, 8, 9}).view({3, 1}));
  input.SetEnvironmentActions(torch::tensor(Floats{-2, 0, 2, 3, 1, 0.75f}).view({3, 2}));
  EXPECT_TRUE(torch::equal(input.tensor(),
                           torch::tensor(Floats{7, -1, -1, 8, 1, 1, 9, 0.5f, -0.5f}).view({3, 3})));
  EXPECT_TRUE(input.tensor().is_contiguous());
}

TEST(CriticInputTest, FollowsTheBatchSize) {
  CriticInput input(2, BoundedActions({-1}, {1}), torch::kCPU);
  for (const int64_t batch : {3, 3, 5, 2}) {
    input.SetObservations(torch::ones({batch, 2}));
    input.scaled_actions().fill_(0.5);
    EXPECT_EQ(input.tensor().sizes(), (std::vector<int64_t>{batch, 3}));
    EXPECT_FLOAT_EQ(input.tensor().sum().item<float>(), static_cast<float>(batch) * 2.5f);
  }
}

TEST(CriticInputTest, AddsTheActionsColumnsOfGradients) {
  CriticInput input(1, BoundedActions({-1, -1}, {1, 1}), torch::kCPU);
  input.SetObservations(torch::zeros({2, 1}));
  const torch::Tensor a = torch::tensor(Floats{9, 1, 2, 9, 3, 4}).view({2, 3});
  torch::Tensor gradient;
  input.SumActionGradients({a, 10 * a}, gradient);
  EXPECT_TRUE(torch::equal(gradient, torch::tensor(Floats{11, 22, 33, 44}).view({2, 2})));
}

TEST(TrainedNetworksTest, StartTogetherAndTheTargetFollows) {
  const auto critics =
      MakeCritics(MlpModelConfig({4}), 2, VectorSpace(2), BoundedActions({-1}, {1}));
  ASSERT_TRUE(critics.ok());
  Random random(1);
  const Floats initial = RandomFloats(critics->layout.size(), random);
  TrainedNetworks networks(critics->critics, initial, 1e-8, TrainedNetworks::Target::kPolyak,
                           torch::kCPU);
  const torch::Tensor x = RandomTensor({5, 3}, random);
  std::vector<torch::Tensor> online, target;
  networks.Forward(x, online);
  networks.TargetForward(x, target);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(torch::equal(online[i], target[i]));
  EXPECT_FALSE(torch::equal(online[0], online[1]));
  EXPECT_EQ(networks.GradientNorm(), 0);

  networks.Backward({torch::ones({5, 1}), torch::ones({5, 1})});
  const double norm = networks.GradientNorm();
  EXPECT_GT(norm, 0);
  networks.Forward(x, online);
  networks.Backward({torch::ones({5, 1}), torch::ones({5, 1})});
  EXPECT_DOUBLE_EQ(networks.GradientNorm(), norm) << "not the last one's alone";
  EXPECT_TRUE(networks.Step(0.1, nullptr).ok());
  networks.Forward(x, online);
  networks.TargetForward(x, target);
  EXPECT_FALSE(torch::equal(online[0], target[0]));
  networks.MoveTarget(1);
  networks.TargetForward(x, target);
  EXPECT_TRUE(torch::equal(online[0], target[0]));
}

}  // namespace
}  // namespace cadre
