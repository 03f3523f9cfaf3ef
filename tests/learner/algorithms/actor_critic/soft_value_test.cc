#include "learner/algorithms/actor_critic/soft_value.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/actor_critic_example.h"

namespace cadre {
namespace {

void Compute(const torch::Tensor& logits, const torch::Tensor& q, double temperature,
             bool with_gradient, SoftValues& out, bool fast = true) {
  ComputeSoftValues(logits, q, torch::scalar_tensor(temperature), with_gradient, fast, out);
}

TEST(SoftValueTest, ByHand) {
  // pi = (3/4, 1/4), Q = (1, 5), alpha = 2.
  const torch::Tensor logits = torch::tensor(std::vector<float>{std::log(3.0f), 0}).view({1, 2});
  const torch::Tensor q = torch::tensor(std::vector<float>{1, 5}).view({1, 2});
  SoftValues out;
  Compute(logits, q, 2, /*with_gradient=*/true, out);
  const double entropy = -0.75 * std::log(0.75) - 0.25 * std::log(0.25);
  const double value = 0.75 * 1 + 0.25 * 5 + 2 * entropy;
  EXPECT_NEAR(out.entropies.item<float>(), entropy, 1e-6);
  EXPECT_NEAR(out.values.item<float>(), value, 1e-6);
  EXPECT_NEAR(out.gradient[0][0].item<float>(), -0.75 * (1 - 2 * std::log(0.75) - value), 1e-6);
  EXPECT_NEAR(out.gradient[0][1].item<float>(), -0.25 * (5 - 2 * std::log(0.25) - value), 1e-6);
}

TEST(SoftValueTest, ThePolicyThatIsBestHasNoGradient) {
  // pi = softmax(Q / alpha), whose value is alpha log sum exp(Q / alpha).
  Random random(1);
  const torch::Tensor q = RandomTensor({5, 4}, random);
  SoftValues out;
  Compute(q / 0.3, q, 0.3, true, out);
  EXPECT_LT(out.gradient.abs().max().item<float>(), 1e-6);
  ExpectClose(out.values, 0.3 * torch::logsumexp(q / 0.3, 1), "values");
}

TEST(SoftValueTest, TheClosedFormIsAutograds) {
  Random random(2);
  SoftValues out;
  for (const int64_t batch : {1, 5, 40})
    for (const int64_t actions : {2, 9}) {
      const torch::Tensor logits = RandomTensor({batch, actions}, random, 2);
      const torch::Tensor q = RandomTensor({batch, actions}, random, 3);
      Compute(logits, q, 0.4, true, out);
      SoftValues wanted;
      Compute(logits, q, 0.4, true, wanted, /*fast=*/false);
      ExpectClose(out.values, wanted.values, "values");
      ExpectClose(out.entropies, wanted.entropies, "entropies");
      ExpectClose(out.gradient, wanted.gradient, "gradient");
      SoftValues without;
      Compute(logits, q, 0.4, false, without);
      EXPECT_TRUE(torch::equal(without.values, out.values));
    }
}

}  // namespace
}  // namespace cadre
