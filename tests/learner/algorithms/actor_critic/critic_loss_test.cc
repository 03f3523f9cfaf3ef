#include "learner/algorithms/actor_critic/critic_loss.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/actor_critic_example.h"

namespace cadre {
namespace {

torch::Tensor Column(const std::vector<float>& values) {
  return torch::tensor(values).view({-1, 1});
}
std::vector<float> ToVector(const torch::Tensor& tensor) {
  const absl::Span<const float> flat = Flat(tensor);
  return {flat.begin(), flat.end()};
}
using Floats = std::vector<float>;

TEST(CriticLossTest, TargetsBootstrapUnlessTheEpisodeEnded) {
  torch::Tensor targets;
  BootstrapTargets(torch::tensor(Floats{1, 2}), torch::tensor(Floats{0.5f, 0}),
                   torch::tensor(Floats{10, 99}), targets);
  EXPECT_EQ(ToVector(targets), (Floats{6, 2}));
}

TEST(CriticLossTest, TheMinimumIsTakenRowByRow) {
  torch::Tensor minimum;
  MinimumOfCritics({Column({1, 5, -3}), Column({2, 4, -3})}, minimum);
  EXPECT_EQ(ToVector(minimum), (Floats{1, 4, -3}));
  MinimumOfCritics({Column({1, 5, -3})}, minimum);
  EXPECT_EQ(ToVector(minimum), (Floats{1, 5, -3}));
  MinimumOfCritics({Column({3, 5}), Column({2, 7}), Column({4, 1})}, minimum);
  EXPECT_EQ(ToVector(minimum), (Floats{2, 1}));
}

TEST(CriticLossTest, TheMinimumsGradientIsTheLeastOnesAndTheFirstOfEquals) {
  std::vector<torch::Tensor> gradients;
  MinimumGradient({Column({1, 5, -3}), Column({2, 4, -3})}, -0.5, /*fast=*/true, gradients);
  EXPECT_EQ(ToVector(gradients[0]), (Floats{-0.5f, 0, -0.5f}));
  EXPECT_EQ(ToVector(gradients[1]), (Floats{0, -0.5f, 0}));
  MinimumGradient({Column({3, 1}), Column({2, 1}), Column({2, 1})}, 1, /*fast=*/true, gradients);
  EXPECT_EQ(ToVector(gradients[0]), (Floats{0, 1}));
  EXPECT_EQ(ToVector(gradients[1]), (Floats{1, 0}));
  EXPECT_EQ(ToVector(gradients[2]), (Floats{0, 0}));
}

TEST(CriticLossTest, ErrorsOfTwinsByHand) {
  CriticErrors errors;
  ComputeCriticErrors({Column({3, 0}), Column({2, 1})}, {}, torch::tensor(Floats{1, 1}),
                      torch::tensor(Floats{1, 0.5f}), /*fast=*/true, errors);
  EXPECT_EQ(ToVector(errors.losses), (Floats{4 + 1, 0.5f}));
  EXPECT_EQ(ToVector(errors.absolute), (Floats{1.5f, 0.5f}));
  EXPECT_EQ(ToVector(errors.values), (Floats{2.5f, 0.5f}));
  EXPECT_EQ(ToVector(errors.gradients[0]), (Floats{2, -0.5f}));  // 2 w e / B
  EXPECT_EQ(ToVector(errors.gradients[1]), (Floats{1, 0}));
}

TEST(CriticLossTest, OnlyTheTakenActionLearns) {
  CriticErrors errors;
  const torch::Tensor values = torch::tensor(Floats{1, 2, 3, 4, 5, 6}).view({2, 3});
  const torch::Tensor actions = torch::tensor(std::vector<int64_t>{2, 0}, torch::kInt64);
  // Twice: the second call finds its buffers used.
  for (const auto& chosen : {torch::zeros_like(actions), actions})
    ComputeCriticErrors({values}, chosen, torch::tensor(Floats{1, 1}), torch::ones({2}),
                        /*fast=*/true, errors);
  EXPECT_EQ(ToVector(errors.gradients[0]), (Floats{0, 0, 2, 3, 0, 0}));
  EXPECT_EQ(ToVector(errors.absolute), (Floats{2, 3}));
}

TEST(CriticLossTest, TheLoopsAreAutograd) {
  Random random(1);
  CriticErrors errors;
  std::vector<torch::Tensor> gradients;
  for (const int64_t batch : {1, 6, 33})
    for (const int64_t width : {1, 5})
      for (const int critics : {1, 2, 3}) {
        std::vector<torch::Tensor> values;
        for (int i = 0; i < critics; ++i) values.push_back(RandomTensor({batch, width}, random));
        torch::Tensor actions;
        if (width > 1) actions = torch::arange(batch) % width;
        const torch::Tensor targets = RandomTensor({batch}, random);
        const torch::Tensor weights = RandomTensor({batch}, random).abs();
        ComputeCriticErrors(values, actions, targets, weights, /*fast=*/true, errors);
        CriticErrors wanted;
        ComputeCriticErrors(values, actions, targets, weights, /*fast=*/false, wanted);
        ExpectClose(errors.losses, wanted.losses, "losses");
        ExpectClose(errors.absolute, wanted.absolute, "absolute");
        ExpectClose(errors.values, wanted.values, "values");
        MinimumGradient(values, 0.3, /*fast=*/true, gradients);
        std::vector<torch::Tensor> least;
        MinimumGradient(values, 0.3, /*fast=*/false, least);
        ASSERT_EQ(gradients.size(), critics);
        for (int i = 0; i < critics; ++i) {
          ExpectClose(errors.gradients[i], wanted.gradients[i], "gradients");
          EXPECT_TRUE(torch::equal(gradients[i], least[i]));
        }
      }
}

TEST(CriticLossTest, GradientsAreThoseOfTheMeanLoss) {
  Random random(2);
  CriticErrors errors;
  std::vector<torch::Tensor> values = {RandomTensor({8, 4}, random), RandomTensor({8, 4}, random)};
  const torch::Tensor actions = torch::arange(8) % 4;
  const torch::Tensor targets = RandomTensor({8}, random);
  const torch::Tensor weights = RandomTensor({8}, random).abs();
  ComputeCriticErrors(values, actions, targets, weights, /*fast=*/true, errors);
  torch::Tensor loss = torch::zeros({});
  for (torch::Tensor& value : values) {
    value.requires_grad_();
    const torch::Tensor chosen = value.gather(1, actions.unsqueeze(1)).squeeze(1);
    loss = loss + (weights * (chosen - targets).square()).mean();
  }
  EXPECT_NEAR(errors.losses.mean().item<float>(), loss.item<float>(), 1e-5);
  const auto wanted = torch::autograd::grad({loss}, {values[0], values[1]});
  for (int i = 0; i < 2; ++i) ExpectClose(errors.gradients[i], wanted[i], "gradient");
}

TEST(CriticLossTest, PrioritiesAreCopiedWhereWanted) {
  CriticErrors errors;
  errors.absolute = torch::tensor(Floats{1, 2});
  std::vector<float> priorities(2);
  CopyPriorities(errors, absl::MakeSpan(priorities));
  EXPECT_EQ(priorities, (Floats{1, 2}));
  CopyPriorities(errors, {});
}

}  // namespace
}  // namespace cadre
