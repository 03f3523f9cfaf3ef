#include <cmath>
#include <vector>

#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>

#include "common/kernels/optimizer.h"
#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

template <typename TorchOptimizer, typename Options>
void ExpectSameSteps(const Options& options, double weight_decay, double tolerance) {
  constexpr int kSize = 67;
  Random random(3);
  std::vector<float> parameters(kSize);
  for (float& value : parameters) value = static_cast<float>(random.Normal());
  torch::Tensor theirs = torch::tensor(parameters).requires_grad_();
  TorchOptimizer torch_adam({theirs}, options);
  Adam adam(kSize, {.epsilon = 1e-5, .weight_decay = weight_decay});

  std::vector<float> gradient(kSize);
  for (int step = 0; step < 100; ++step) {
    // From far below epsilon to large.
    for (int i = 0; i < kSize; ++i)
      gradient[i] = static_cast<float>(random.Normal() * std::pow(10, i % 9 - 6));
    adam.Step(absl::MakeSpan(parameters), gradient, 3e-3);
    theirs.mutable_grad() = torch::tensor(gradient);
    torch_adam.step();
    const float* expected = theirs.data_ptr<float>();
    for (int i = 0; i < kSize; ++i) ASSERT_NEAR(parameters[i], expected[i], tolerance) << step;
  }
}

TEST(AdamTest, StepsAsLibTorchDoes) {
  ExpectSameSteps<torch::optim::Adam>(torch::optim::AdamOptions(3e-3).betas({0.9, 0.999}).eps(1e-5),
                                      /*weight_decay=*/0, /*tolerance=*/2e-6);
}

TEST(AdamTest, WithWeightDecayStepsAsLibTorchsAdamW) {
  ExpectSameSteps<torch::optim::AdamW>(
      torch::optim::AdamWOptions(3e-3).betas({0.9, 0.999}).eps(1e-5).weight_decay(0.1),
      /*weight_decay=*/0.1,
      // Decay multiplies parameters of about 1.5 a hundred times, half a unit in the last place
      // each.
      /*tolerance=*/1e-5);
}

}  // namespace
}  // namespace cadre
