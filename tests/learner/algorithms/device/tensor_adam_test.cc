#include "learner/algorithms/device/tensor_adam.h"

#include "gtest/gtest.h"
#include "learner/algorithms/device/step_columns.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "tests/learner/algorithms/actor_critic_example.h"
#include "tests/learner/algorithms/example_batch.h"
#include "tests/learner/algorithms/test_device.h"

namespace cadre {
namespace {

constexpr int64_t kSize = 37;

TEST(TensorAdamTest, IsTheKernels) {
  Random random(1);
  Adam kernels(kSize, {.epsilon = 1e-3});
  TensorAdam tensors(kSize, {.epsilon = 1e-3}, torch::kCPU);
  torch::Tensor wanted = RandomTensor({kSize}, random);
  torch::Tensor got = wanted.clone();
  for (int step = 1; step <= 10; ++step) {
    const torch::Tensor gradient = RandomTensor({kSize}, random);
    const double rate = 0.01 / step, max_norm = step % 2 == 0 ? 0.5 : 0;
    kernels.Step(Flat(wanted), Flat(gradient), rate,
                 GradientScale(GradientNorm(Flat(gradient)), max_norm));
    tensors.SetLearningRate(rate);
    tensors.Step(got, gradient, ClippingDivisor(gradient.norm(), max_norm));
  }
  ExpectClose(got, wanted, "parameters");
}

TEST(TensorAdamTest, AShortGradientIsNotScaled) {
  EXPECT_FALSE(ClippingDivisor(torch::tensor(3.0f), 0).defined());
  EXPECT_EQ(ClippingDivisor(torch::tensor(3.0f), 4).item<float>(), 1);
  EXPECT_EQ(ClippingDivisor(torch::tensor(3.0f), 1.5).item<float>(), 2);
}

TEST(TensorAdamTest, GoesOnFromWhatTheKernelsSaved) {
  Random random(1);
  TensorAdam first(kSize, {.epsilon = 1e-3}, torch::kCPU),
      second(kSize, {.epsilon = 1e-3}, torch::kCPU);
  torch::Tensor parameters = RandomTensor({kSize}, random);
  first.SetLearningRate(0.1);
  second.SetLearningRate(0.1);
  for (int i = 0; i < 3; ++i) first.Step(parameters, RandomTensor({kSize}, random));
  TensorMap state;
  first.Save("a", state);
  ASSERT_TRUE(second.Restore("a", state).ok());
  torch::Tensor other = parameters.clone();
  const torch::Tensor gradient = RandomTensor({kSize}, random);
  first.Step(parameters, gradient.clone());
  second.Step(other, gradient.clone());
  EXPECT_TRUE(torch::equal(parameters, other));
  EXPECT_TRUE(absl::IsDataLoss(second.Restore("b", state)));
}

// N steps in one segment.
OnPolicyBatch Steps(int64_t steps, Random& random) {
  OnPolicyBatch batch;
  batch.observations = RandomTensor({steps + 1, 2}, random);
  batch.observation_rows = torch::arange(steps);
  batch.actions = torch::arange(steps) * 10;
  batch.log_probs = RandomTensor({steps}, random);
  return batch;
}

TEST(StepColumnsTest, MinibatchesAreRowsOfTheBatch) {
  Random random(1);
  StepColumns columns(torch::kCPU);
  for (const int64_t steps : {8, 4}) {
    const OnPolicyBatch batch = Steps(steps, random);
    const StepColumns::Estimates estimates{
        RandomTensor({steps}, random), RandomTensor({steps}, random), RandomTensor({steps}, random),
        RandomTensor({steps, 3}, random)};
    EXPECT_FALSE(columns.Assign(batch, estimates)) << "nothing is recorded on the CPU";
    PpoMinibatch minibatch;
    const torch::Tensor rows = columns.ToDevice({3, 1});
    columns.Gather(rows, /*sequences=*/0, minibatch);
    EXPECT_TRUE(torch::equal(minibatch.observations.only(),
                             batch.observations.only().index_select(0, rows)));
    EXPECT_EQ(minibatch.actions[0].item<int64_t>(), 30);
    EXPECT_TRUE(torch::equal(minibatch.log_probs, batch.log_probs.index_select(0, rows)));
    EXPECT_TRUE(torch::equal(minibatch.returns, estimates.returns.index_select(0, rows)));
    EXPECT_TRUE(torch::equal(minibatch.old_policy, estimates.old_policy.index_select(0, rows)));
  }
}

TEST(StepColumnsTest, OnADeviceLongerBatchesMoveTheTensorsAndShorterOnesDoNot) {
  const torch::Device device = TestDevice().device;
  if (device.is_cpu()) GTEST_SKIP() << "skipped: CADRE_TEST_DEVICE is cpu";
  Random random(1);
  StepColumns columns(device);
  const auto assign = [&](int64_t steps) {
    return columns.Assign(Steps(steps, random),
                          {RandomTensor({steps}, random), RandomTensor({steps}, random),
                           RandomTensor({steps}, random), torch::Tensor()});
  };
  EXPECT_TRUE(assign(8));
  EXPECT_FALSE(assign(10));
  EXPECT_FALSE(assign(3));
  EXPECT_TRUE(assign(14));
}

}  // namespace
}  // namespace cadre
