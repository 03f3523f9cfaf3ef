#include "learner/algorithms/dueling.h"

#include <vector>

#include <torch/autograd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/algorithms/tensor_spans.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

using testing::ElementsAre;

const std::vector<DuelingShape> kShapes = {{1, 2, 1}, {5, 3, 1}, {4, 1, 1}, {3, 2, 4}, {7, 5, 51}};

void ExpectEqual(const torch::Tensor& got, const torch::Tensor& wanted) {
  ASSERT_EQ(got.sizes(), wanted.sizes());
  EXPECT_TRUE(torch::allclose(got, wanted, 1e-5, 1e-6)) << got << "\nwanted\n" << wanted;
}

TEST(DuelingTest, ByHand) {
  std::vector<float> q(6);
  CombineDueling({1, 3, 2}, {10, 20}, {1, 2, 3, 4, 8, 9}, absl::MakeSpan(q));
  // The means over the actions are 4 and 5.
  EXPECT_THAT(q, ElementsAre(7, 17, 9, 19, 14, 24));
  std::vector<float> value(2), advantage(6);
  DuelingBackward({1, 3, 2}, {1, 0, 0, 0, 2, 3}, absl::MakeSpan(value), absl::MakeSpan(advantage));
  EXPECT_THAT(value, ElementsAre(3, 3));
  EXPECT_THAT(advantage, ElementsAre(0, -1, -1, -1, 1, 2));
}

TEST(DuelingTest, BothWaysAreTheSameForwardsAndBackwardsAndWhatAutogradSays) {
  Random random(1);
  for (const DuelingShape& shape : kShapes) {
    const torch::Tensor value = RandomTensor({shape.batch, shape.atoms}, random);
    const torch::Tensor advantage =
        RandomTensor({shape.batch, shape.actions * shape.atoms}, random);
    torch::Tensor q = torch::empty_like(advantage);
    CombineDueling(shape, Flat(value), Flat(advantage), Flat(q));
    torch::Tensor v = value.clone().requires_grad_(), a = advantage.clone().requires_grad_();
    const torch::Tensor by_tensors = CombineDueling(v, a);
    ExpectEqual(q, by_tensors.detach());

    const torch::Tensor dq = RandomTensor({shape.batch, shape.actions * shape.atoms}, random);
    const auto wanted = torch::autograd::grad({by_tensors}, {v, a}, {dq});
    const DuelingGradient gradient = DuelingBackward(dq, shape.atoms);
    ExpectEqual(gradient.value, wanted[0]);
    ExpectEqual(gradient.advantage, wanted[1]);
    torch::Tensor dv = torch::empty_like(value), da = dq.clone();
    DuelingBackward(shape, Flat(da), Flat(dv), Flat(da));  // In place.
    ExpectEqual(dv, wanted[0]);
    ExpectEqual(da, wanted[1]);
  }
}

TEST(DuelingTest, TheMeanOverActionsIsTheValueWhateverIsAddedToTheAdvantages) {
  Random random(2);
  const torch::Tensor value = RandomTensor({4, 3}, random);
  const torch::Tensor advantage = RandomTensor({4, 15}, random);
  const torch::Tensor q = CombineDueling(value, advantage);
  ExpectEqual(q.view({4, 5, 3}).mean(1), value);
  ExpectEqual(CombineDueling(value, advantage + 7), q);
}

}  // namespace
}  // namespace cadre
