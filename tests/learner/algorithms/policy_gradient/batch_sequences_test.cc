#include "learner/algorithms/policy_gradient/batch_sequences.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::ElementsAre;

// Two environments of one rollout, and one of another actor's: the first has an episode that ends
// within the rollout. Their segments lie as an actor sends them.
std::vector<SegmentBounds> Segments() {
  const auto of = [](int64_t first_step, int64_t length, int32_t actor, int32_t environment) {
    return SegmentBounds{.first_step = first_step,
                         .length = length,
                         .terminated = false,
                         .origin = {.actor = actor, .environment = environment, .sequence = 7}};
  };
  return {of(0, 1, 0, 0), of(1, 2, 0, 0), of(3, 3, 0, 1), of(6, 3, 1, 0)};
}

std::vector<int64_t> Ints(const torch::Tensor& tensor) {
  return {tensor.data_ptr<int64_t>(), tensor.data_ptr<int64_t>() + tensor.numel()};
}

TEST(BatchSequencesTest, RowsOfAnEnvironmentFollowEachOtherStepByStep) {
  const torch::Tensor states = torch::arange(9, torch::kFloat32).view({9, 1});
  const auto sequences = SequencesOf(Segments(), states);
  // Rows 0, 1 and 2, 3, 4 of the first environment, 5 to 8 of the second, 9 to 12 of the third.
  const std::vector<int64_t> rows = Ints(sequences->rows);
  ASSERT_EQ(rows.size(), 5 * 3);
  const std::vector<std::vector<int64_t>> wanted = {{0, 1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}};
  for (size_t s = 0; s < wanted.size(); ++s)
    for (size_t t = 0; t < wanted[s].size(); ++t) {
      EXPECT_EQ(rows[t * 3 + s], wanted[s][t]);
      EXPECT_EQ(sequences->slots[wanted[s][t]].item<int64_t>(), static_cast<int64_t>(t * 3 + s));
    }
  // The second segment of the first environment starts an episode, with its row 2.
  for (int64_t slot = 0; slot < 15; ++slot)
    EXPECT_EQ(sequences->starts[slot].item<float>(), slot == 2 * 3 ? 1 : 0) << slot;
  EXPECT_EQ(sequences->states[0].item<float>(), 0);
  EXPECT_EQ(sequences->states[1].item<float>(), 3);
  EXPECT_EQ(sequences->states[2].item<float>(), 6);
}

TEST(BatchSequencesTest, StepsLeaveOutTheLastObservations) {
  EXPECT_THAT(StepsOfSequences(Segments()),
              ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 4, 5), ElementsAre(6, 7, 8)));
  const torch::Tensor starts = StartsOfSteps(Segments(), 9);
  for (int64_t step = 0; step < 9; ++step)
    EXPECT_EQ(starts[step].item<float>(), step == 1 ? 1 : 0) << step;
}

}  // namespace
}  // namespace cadre
