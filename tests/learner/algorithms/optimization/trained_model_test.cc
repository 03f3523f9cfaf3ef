// The small pieces under DDPG, TD3 and SAC: optimiser, targets, noise, temperature and
// what critics see.
#include "learner/algorithms/optimization/trained_model.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "learner/algorithms/actor_critic/policy_and_critics.h"
#include "learner/algorithms/actor_critic/temperature.h"
#include "learner/algorithms/device/normal_noise.h"
#include "learner/algorithms/optimization/polyak.h"
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
  FlatAdam kernels(kSize, {1e-3, 1e-2}, {}),
      tensors(kSize, {1e-3, 1e-2}, {.tensor_operations = true});
  torch::Tensor parameters = RandomTensor({kSize}, random);
  torch::Tensor other = parameters.clone();
  for (int step = 1; step <= 10; ++step) {
    const torch::Tensor gradient = RandomTensor({kSize}, random);
    const double max_norm = step % 2 == 0 ? 0.5 : 0;
    for (FlatAdam* adam : {&kernels, &tensors}) adam->SetLearningRate(0.01 / step);
    kernels.Step(parameters, gradient.clone(), FlatNorm(gradient), max_norm);
    tensors.Step(other, gradient.clone(), gradient.norm(), max_norm);
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

double ValueOf(const Temperature& temperature) { return temperature.value().item<double>(); }

void Update(Temperature& temperature, double entropy) {
  temperature.Update(torch::scalar_tensor(entropy));
}

// On the kernels and in tensor operations.
const DeviceOptions kPlaces[] = {{}, {.tensor_operations = true}};

TEST(TemperatureTest, RisesWhileTheEntropyIsBelowItsTarget) {
  SacConfig config;
  config.set_temperature(0.5);
  config.set_temperature_learning_rate(0.1);
  for (const DeviceOptions& where : kPlaces) {
    Temperature temperature(Temperature::Settings::Of(config, -1), where);
    EXPECT_FLOAT_EQ(ValueOf(temperature), 0.5);
    // Adam's first step is the learning rate, whatever the gradient's size.
    Update(temperature, -1.5);
    EXPECT_NEAR(ValueOf(temperature), 0.5 * std::exp(0.1), 1e-6);
    Temperature other(Temperature::Settings::Of(config, -1), where);
    Update(other, 3);
    EXPECT_NEAR(ValueOf(other), 0.5 * std::exp(-0.1), 1e-6);
  }
}

TEST(TemperatureTest, TheGradientIsAlphaTimesTheExcessOfEntropy) {
  // A large epsilon makes Adam's first step lr * g / epsilon.
  SacConfig config;
  config.set_temperature(0.5);
  config.set_temperature_learning_rate(1);
  config.set_adam_epsilon(1);
  for (const DeviceOptions& where : kPlaces) {
    Temperature temperature(Temperature::Settings::Of(config, -1), where);
    const double gradient = 0.5 * (-0.99 + 1);
    Update(temperature, -0.99);
    EXPECT_NEAR(std::log(ValueOf(temperature) / 0.5), -gradient / (gradient + 1), 1e-6);
  }
}

TEST(TemperatureTest, TheConfigsTargetGoesFirst) {
  SacConfig config;
  config.set_target_entropy(2);
  Temperature temperature(Temperature::Settings::Of(config, -1), {});
  Update(temperature, 1);  // Below 2, above -1.
  EXPECT_GT(ValueOf(temperature), 1);
}

TEST(ActionScaleTest, ScalesActionsFromTheirBounds) {
  const ActionScale scale(BoundedActions({-2, 0}, {2, 3}), torch::kCPU);
  torch::Tensor scaled;
  scale.Scale(torch::tensor(Floats{-2, 0, 2, 3, 1, 0.75f}).view({3, 2}), scaled);
  EXPECT_TRUE(torch::equal(scaled, torch::tensor(Floats{-1, -1, 1, 1, 0.5f, -0.5f}).view({3, 2})));
}

TEST(TrainedModelTest, StartsTogetherAndTheTargetFollows) {
  const auto critics =
      MakeCritics(MlpModelConfig({4}), 2, VectorSpace(2), BoundedActions({-1}, {1}));
  ASSERT_TRUE(critics.ok());
  Random random(1);
  const Floats initial = RandomFloats(critics->layout().size(), random);
  for (const DeviceOptions& where : kPlaces) {
    TrainedModel model(critics->network, initial, {.adam = {1e-8}}, TrainedModel::Target::kFollows,
                       where);
    model.SetLearningRate(0.1);
    const std::vector<torch::Tensor> x = {RandomTensor({5, 2}, random),
                                          RandomTensor({5, 1}, random)};
    const auto online = [&](int i) { return model.Forward(x)[i].clone(); };
    const auto target = [&](int i) { return model.TargetForward(x)[i].clone(); };
    const auto backward = [&] { model.Backward({torch::ones({5, 1}), torch::ones({5, 1})}); };
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(torch::equal(online(i), target(i)));
    EXPECT_FALSE(torch::equal(online(0), online(1)));
    EXPECT_EQ(model.GradientNorm(), 0);

    backward();
    const double norm = model.GradientNorm();
    EXPECT_GT(norm, 0);
    online(0);
    backward();
    EXPECT_DOUBLE_EQ(model.GradientNorm(), norm) << "not the last one's alone";
    model.Step();
    EXPECT_FALSE(torch::equal(online(0), target(0)));
    model.MoveTarget(1);
    EXPECT_TRUE(torch::equal(online(0), target(0)));
  }
}

}  // namespace
}  // namespace cadre
