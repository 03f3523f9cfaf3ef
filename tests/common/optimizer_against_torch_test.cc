#include <cmath>
#include <memory>
#include <vector>

#include <torch/optim/adam.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include "common/optimizer.h"
#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

constexpr int kSize = 67;
constexpr double kRate = 3e-3;

template <typename TorchOptimizer, typename Options>
void ExpectSameSteps(const OptimizerConfig& config, const Options& options) {
  Random random(3);
  std::vector<float> parameters(kSize);
  for (float& value : parameters) value = static_cast<float>(random.Normal());
  torch::Tensor theirs = torch::tensor(parameters).requires_grad_();
  TorchOptimizer reference({theirs}, options);
  const auto optimizer = MakeFlatOptimizer(config, kSize);
  std::vector<float> gradient(kSize);
  for (int step = 0; step < 100; ++step) {
    for (int i = 0; i < kSize; ++i)
      gradient[i] = static_cast<float>(random.Normal() * std::pow(10, i % 7 - 5));
    optimizer->Step(absl::MakeSpan(parameters), gradient, kRate, 1);
    theirs.mutable_grad() = torch::tensor(gradient);
    reference.step();
    const float* expected = theirs.data_ptr<float>();
    for (int i = 0; i < kSize; ++i)
      ASSERT_NEAR(parameters[i], expected[i], 4e-6 * (1 + std::abs(expected[i]))) << step;
  }
}

TEST(FlatOptimizerAgainstLibTorchTest, Adam) {
  OptimizerConfig config;
  config.mutable_adam();
  ExpectSameSteps<torch::optim::Adam>(config, torch::optim::AdamOptions(kRate).eps(1e-5));
}

TEST(FlatOptimizerAgainstLibTorchTest, RmsProp) {
  OptimizerConfig config;
  config.mutable_rms_prop()->set_initial_square(0);  // As LibTorch begins.
  ExpectSameSteps<torch::optim::RMSprop>(config,
                                         torch::optim::RMSpropOptions(kRate).alpha(0.99).eps(1e-5));
}

TEST(FlatOptimizerAgainstLibTorchTest, CenteredRmsProp) {
  OptimizerConfig config;
  config.mutable_rms_prop()->set_centered(true);
  config.mutable_rms_prop()->set_decay(0.9);
  config.mutable_rms_prop()->set_initial_square(0);
  config.mutable_rms_prop()->set_epsilon(1e-3);
  ExpectSameSteps<torch::optim::RMSprop>(
      config, torch::optim::RMSpropOptions(kRate).alpha(0.9).eps(1e-3).centered(true));
}

TEST(FlatOptimizerAgainstLibTorchTest, Sgd) {
  OptimizerConfig config;
  config.mutable_sgd();
  ExpectSameSteps<torch::optim::SGD>(config, torch::optim::SGDOptions(kRate));
}

TEST(FlatOptimizerAgainstLibTorchTest, SgdWithMomentum) {
  OptimizerConfig config;
  config.mutable_sgd()->set_momentum(0.9);
  ExpectSameSteps<torch::optim::SGD>(config, torch::optim::SGDOptions(kRate).momentum(0.9));
}

}  // namespace
}  // namespace cadre
