#include <cmath>
#include <vector>

#include <torch/optim/adam.h>

#include "common/kernels/optimizer.h"
#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(AdamTest, StepsAsLibTorchDoes) {
  constexpr int kSize = 67;
  Random random(3);
  std::vector<float> parameters(kSize);
  for (float& value : parameters) value = static_cast<float>(random.Normal());
  torch::Tensor theirs = torch::tensor(parameters).requires_grad_();
  torch::optim::Adam torch_adam({theirs},
                                torch::optim::AdamOptions(3e-3).betas({0.9, 0.999}).eps(1e-5));
  Adam adam(kSize, {.epsilon = 1e-5});

  std::vector<float> gradient(kSize);
  for (int step = 0; step < 100; ++step) {
    // From far below epsilon to large.
    for (int i = 0; i < kSize; ++i)
      gradient[i] = static_cast<float>(random.Normal() * std::pow(10, i % 9 - 6));
    adam.Step(absl::MakeSpan(parameters), gradient, 3e-3);
    theirs.mutable_grad() = torch::tensor(gradient);
    torch_adam.step();
    const float* expected = theirs.data_ptr<float>();
    for (int i = 0; i < kSize; ++i) ASSERT_NEAR(parameters[i], expected[i], 2e-6) << step;
  }
}

}  // namespace
}  // namespace cadre
