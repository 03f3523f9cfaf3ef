#include "learner/algorithms/on_device/tensor_adam.h"

#include "gtest/gtest.h"
#include "learner/algorithms/on_device/ppo_gradient.h"
#include "learner/algorithms/on_device/step_columns.h"
#include "learner/algorithms/tensor_spans.h"
#include "tests/learner/algorithms/actor_critic_example.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

constexpr int64_t kSize = 37;

TEST(TensorAdamTest, IsTheKernels) {
  Random random(1);
  Adam kernels(kSize, {.epsilon = 1e-3});
  TensorAdam tensors(kSize, 1e-3, torch::kCPU);
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
  TensorAdam first(kSize, 1e-3, torch::kCPU), second(kSize, 1e-3, torch::kCPU);
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

TEST(StepColumnsTest, LongerBatchesMoveTheTensorsAndShorterOnesDoNot) {
  Random random(1);
  StepColumns columns(torch::kCPU);
  const auto assign = [&](int64_t steps) {
    return columns.Assign(RandomTensor({steps, 2}, random), torch::arange(steps),
                          RandomTensor({steps}, random), RandomTensor({steps, 3}, random));
  };
  EXPECT_TRUE(assign(8));
  EXPECT_FALSE(assign(10));
  EXPECT_FALSE(assign(3));
  EXPECT_TRUE(assign(11));
  const torch::Tensor estimates = RandomTensor({4, 3}, random);
  const torch::Tensor observations = RandomTensor({4, 2}, random);
  const torch::Tensor log_probs = RandomTensor({4}, random);
  columns.Assign(observations, torch::arange(4) * 10, log_probs, estimates);
  PpoMinibatch minibatch;
  const torch::Tensor rows = columns.ToDevice({3, 1});
  columns.Gather(rows, minibatch);
  EXPECT_TRUE(torch::equal(minibatch.observations, observations.index_select(0, rows)));
  EXPECT_EQ(minibatch.actions[0].item<int64_t>(), 30);
  EXPECT_TRUE(torch::equal(minibatch.log_probs, log_probs.index_select(0, rows)));
  EXPECT_TRUE(torch::equal(minibatch.returns, estimates.select(1, 1).index_select(0, rows)));
}

// The third of the three ways to the PPO gradient, against the one by autograd.
TEST(PpoGradientOfTensorsTest, IsAutogradsWithEveryTerm) {
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
    Random random(2);
    const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({9}), 4, action);
    const auto model = WithParameters(MakeFusedActorCritic(network));
    const int64_t steps = 64;
    PpoMinibatch batch;
    batch.observations = RandomTensor({steps, 4}, random);
    batch.actions = RandomActions(network, steps, random);
    const Heads heads = model->Forward(batch.observations);
    batch.log_probs = LogProb(heads, batch.actions) + RandomTensor({steps}, random, 0.3);
    batch.advantages = RandomTensor({steps}, random);
    batch.returns = RandomTensor({steps}, random);
    batch.values = heads.value + RandomTensor({steps}, random, 0.3);
    PpoCoefficients coefficients;
    coefficients.clip_range = 0.2;
    coefficients.value_clip_range = 0.1;
    coefficients.entropy = 0.05;
    PpoHeadGradient wanted;
    PpoGradientByAutograd(heads, batch, coefficients, wanted);
    const PpoTensorGradient got = PpoGradientOfTensors(
        heads, batch, {torch::tensor(0.8f), torch::tensor(1.2f)}, coefficients);
    ExpectClose(got.gradient.policy, wanted.gradient.policy, "policy");
    ExpectClose(got.gradient.value, wanted.gradient.value, "value");
    if (!action.discrete())
      ExpectClose(got.gradient.log_std, wanted.gradient.log_std, "log_std", 1e-4);
    const PpoDiagnostics& d = wanted.diagnostics;
    const double numbers[] = {d.policy_loss, d.value_loss, d.entropy, d.approx_kl, d.clip_fraction};
    for (int64_t i = 0; i < kPpoNumbers; ++i)
      EXPECT_NEAR(got.numbers[i].item<double>(), numbers[i], 1e-5) << i;
    EXPECT_GT(d.clip_fraction, 0.1);
  }
}

}  // namespace
}  // namespace cadre
