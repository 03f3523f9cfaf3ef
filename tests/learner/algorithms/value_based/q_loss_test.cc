// The targets and losses of Q-learning by hand, and both ways to compute them.
#include "learner/algorithms/value_based/q_loss.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tests/learner/algorithms/example_transitions.h"

namespace cadre {
namespace {

torch::Tensor Matrix(const std::vector<std::vector<float>>& rows) {
  std::vector<torch::Tensor> tensors;
  for (const std::vector<float>& row : rows) tensors.push_back(torch::tensor(row));
  return torch::stack(tensors);
}

void ExpectEqual(const torch::Tensor& got, const torch::Tensor& wanted, const char* what,
                 double tolerance = 1e-5) {
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  EXPECT_TRUE(torch::allclose(got, wanted, tolerance, tolerance)) << what << "\n"
                                                                  << got << "\nwanted\n"
                                                                  << wanted;
}

OffPolicyBatch TwoItems() {
  OffPolicyBatch batch;
  batch.rewards = torch::tensor({1.0f, 2.0f});
  batch.discounts = torch::tensor({0.5f, 0.0f});  // The second one is terminal.
  batch.actions = torch::tensor(std::vector<int64_t>{0, 2}, torch::kInt64);
  batch.weights = torch::tensor({1.0f, 0.5f});
  return batch;
}

torch::Tensor BothTdTargets(const NextOutputs& next, const OffPolicyBatch& batch) {
  torch::Tensor targets, fast;
  TdTargets(next, batch, /*fast=*/false, targets);
  TdTargets(next, batch, /*fast=*/true, fast);
  ExpectEqual(fast, targets, "targets");
  return targets;
}

torch::Tensor BothCategoricalTargets(const CategoricalSupport& support, const NextOutputs& next,
                                     const OffPolicyBatch& batch) {
  torch::Tensor targets, fast;
  CategoricalTargets(support, next, batch, /*fast=*/false, targets);
  CategoricalTargets(support, next, batch, /*fast=*/true, fast);
  ExpectEqual(fast, targets, "targets");
  return targets;
}

QGradient ClosedForm(QLossKind kind, const torch::Tensor& outputs, const torch::Tensor& targets,
                     const OffPolicyBatch& batch) {
  QGradient gradient;
  ComputeQGradient(kind, outputs, targets, batch, /*fast=*/true, gradient);
  return gradient;
}

TEST(QTargetTest, IsTheRewardAndTheDiscountedLargestNextValue) {
  const torch::Tensor q = Matrix({{3, 7, 5}, {100, 200, 300}});
  ExpectEqual(BothTdTargets({q, q}, TwoItems()), Matrix({{1 + 0.5 * 7}, {2}}), "targets");
}

TEST(QTargetTest, DoubleQTakesTheChoosersActionAndTheTargetsValue) {
  const torch::Tensor target = Matrix({{3, 7, 5}, {0, 0, 0}});
  const torch::Tensor online = Matrix({{1, 2, 9}, {0, 0, 0}});
  ExpectEqual(BothTdTargets({target, online}, TwoItems()), Matrix({{1 + 0.5 * 5}, {2}}), "targets");
}

TEST(QTargetTest, OfDistributionsIsTheChosenOneProjected) {
  // Atoms -4, 0 and 4. The chooser's second action has all at 4, the first at -4; of the
  // target's second action half is at -4, half at 0. Big logits make probabilities exact.
  const CategoricalSupport support{-4, 4, 3};
  const torch::Tensor chooser = Matrix({{60, 0, 0, 0, 0, 60}, {0, 0, 0, 0, 0, 0}});
  const torch::Tensor target = Matrix({{0, 0, 60, 60, 60, 0}, {0, 0, 0, 0, 0, 0}});
  OffPolicyBatch batch = TwoItems();
  batch.rewards = torch::tensor({2.0f, 3.0f});
  // 2 + 0.5 (-4) = 0 and 2 + 0.5 * 0 = 2, which is halfway from 0 to 4; and 3, terminal.
  ExpectEqual(BothCategoricalTargets(support, {target, chooser}, batch),
              Matrix({{0, 0.75, 0.25}, {0, 0.25, 0.75}}), "double");
  // By itself the target network prefers its first action: all at 4, so 2 + 0.5 * 4 = 4.
  ExpectEqual(BothCategoricalTargets(support, {target, target}, batch),
              Matrix({{0, 0, 1}, {0, 0.25, 0.75}}), "plain");
}

TEST(QTargetTest, BothWaysAreTheSameOnRandomBatches) {
  Random random(1);
  for (const int64_t actions : {1, 2, 7}) {
    const OffPolicyBatch batch = ExampleTransitions(33, 1, actions, random);
    BothTdTargets({RandomTensor({33, actions}, random), RandomTensor({33, actions}, random)},
                  batch);
    const CategoricalSupport support{-2, 3, 21};
    const torch::Tensor targets = BothCategoricalTargets(
        support,
        {RandomTensor({33, actions * 21}, random), RandomTensor({33, actions * 21}, random)},
        batch);
    ExpectEqual(targets.sum(1), torch::ones({33}), "probabilities");
  }
}

TEST(QLossTest, SquaredByHand) {
  const QGradient out = ClosedForm(QLossKind::kSquared, Matrix({{1, 9, 9}, {9, 9, 5}}),
                                   Matrix({{4}, {3}}), TwoItems());
  ExpectEqual(out.losses, torch::tensor({9.0f, 4.0f}), "losses");
  ExpectEqual(out.errors, torch::tensor({3.0f, 2.0f}), "errors");
  // Half of weight * 2 e, for the mean over two items.
  ExpectEqual(out.outputs, Matrix({{-3, 0, 0}, {0, 0, 1}}), "gradient");
}

TEST(QLossTest, HuberByHand) {
  const QGradient out = ClosedForm(QLossKind::kHuber, Matrix({{1, 9, 9}, {9, 9, 3.5}}),
                                   Matrix({{4}, {3}}), TwoItems());
  ExpectEqual(out.losses, torch::tensor({2.5f, 0.125f}), "losses");
  ExpectEqual(out.errors, torch::tensor({3.0f, 0.5f}), "errors");
  ExpectEqual(out.outputs, Matrix({{-0.5, 0, 0}, {0, 0, 0.125}}), "gradient");
}

TEST(QLossTest, CrossEntropyByHand) {
  // The taken action's distribution is 3/4, 1/4; the target is all on the second atom.
  const float log3 = std::log(3.0f);
  OffPolicyBatch batch;
  batch.rewards = batch.weights = torch::tensor({1.0f});
  batch.actions = torch::tensor(std::vector<int64_t>{1}, torch::kInt64);
  const QGradient out =
      ClosedForm(QLossKind::kCrossEntropy, Matrix({{5, 5, log3, 0}}), Matrix({{0, 1}}), batch);
  ExpectEqual(out.losses, torch::tensor({std::log(4.0f)}), "losses");
  ExpectEqual(out.errors, torch::tensor({std::log(4.0f)}), "errors");
  ExpectEqual(out.outputs, Matrix({{0, 0, 0.75, -0.75}}), "gradient");
}

TEST(QLossTest, ADistributionThatMeetsItsTargetHasNoErrorThoughItHasALoss) {
  OffPolicyBatch batch;
  batch.rewards = batch.weights = torch::tensor({1.0f});
  batch.actions = torch::tensor(std::vector<int64_t>{0}, torch::kInt64);
  const QGradient out =
      ClosedForm(QLossKind::kCrossEntropy, Matrix({{0, 0}}), Matrix({{0.5, 0.5}}), batch);
  EXPECT_NEAR(out.losses.item<float>(), std::log(2.0), 1e-6);
  EXPECT_NEAR(out.errors.item<float>(), 0, 1e-6);
  EXPECT_GE(out.errors.item<float>(), 0);
}

class QGradientTest : public testing::TestWithParam<QLossKind> {};

INSTANTIATE_TEST_SUITE_P(Losses, QGradientTest,
                         testing::Values(QLossKind::kSquared, QLossKind::kHuber,
                                         QLossKind::kCrossEntropy));

TEST_P(QGradientTest, TheClosedFormIsWhatAutogradSays) {
  Random random(3);
  QGradient closed;  // Its buffers go from batch to batch.
  for (const int64_t items : {1, 5, 64, 17}) {
    for (const int64_t actions : {1, 2, 6}) {
      const int64_t atoms = GetParam() == QLossKind::kCrossEntropy ? 11 : 1;
      const OffPolicyBatch batch = ExampleTransitions(items, 1, actions, random);
      const torch::Tensor outputs = RandomTensor({items, actions * atoms}, random, 2);
      torch::Tensor targets = RandomTensor({items, atoms}, random, 2);
      if (atoms > 1) {
        targets = targets.softmax(1);
        targets.select(1, 0).zero_();  // 0 log 0 is 0.
        targets.div_(targets.sum(1, true));
      }
      QGradient by_autograd;
      ComputeQGradient(GetParam(), outputs, targets, batch, /*fast=*/false, by_autograd);
      ComputeQGradient(GetParam(), outputs, targets, batch, /*fast=*/true, closed);
      ExpectEqual(closed.outputs, by_autograd.outputs, "gradient");
      ExpectEqual(closed.losses, by_autograd.losses, "losses");
      ExpectEqual(closed.errors, by_autograd.errors, "errors");
      EXPECT_FALSE(by_autograd.losses.requires_grad() || by_autograd.errors.requires_grad());
    }
  }
}

}  // namespace
}  // namespace cadre
