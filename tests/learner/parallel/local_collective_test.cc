#include "learner/parallel/local_collective.h"

#include <atomic>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/parallel/learner_group.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::HasSubstr;

torch::Tensor ValuesOf(int rank) {
  Random random(rank + 1);
  return torch::tensor(RandomFloats(100, random, 1.0));
}

TEST(LocalCollectiveTest, EveryMemberGetsTheSumInTheOrderOfRanks) {
  torch::Tensor wanted = ValuesOf(0) + ValuesOf(1);
  wanted = wanted + ValuesOf(2);
  for (int again = 0; again < 5; ++again)
    RunLearners(3, [&](Collective& learner) {
      EXPECT_EQ(learner.size(), 3);
      for (int round = 0; round < 20; ++round) {
        torch::Tensor values = ValuesOf(learner.rank());
        ASSERT_TRUE(learner.Sum(values).ok());
        EXPECT_TRUE(torch::equal(values, wanted)) << "rank " << learner.rank();
      }
    });
}

TEST(LocalCollectiveTest, TheMeanIsTheSumDividedByTheirNumber) {
  RunLearners(4, [](Collective& learner) {
    torch::Tensor values = torch::full({2}, learner.rank() + 1.0);
    ASSERT_TRUE(learner.Average(values).ok());
    EXPECT_TRUE(torch::equal(values, torch::full({2}, 2.5)));
  });
}

TEST(LocalCollectiveTest, OneAloneHasItsOwnSum) {
  RunLearners(1, [](Collective& learner) {
    torch::Tensor values = ValuesOf(0);
    ASSERT_TRUE(learner.Sum(values).ok());
    EXPECT_TRUE(torch::equal(values, ValuesOf(0)));
  });
}

TEST(LocalCollectiveTest, AMemberThatLeavesEndsTheWaitsOfTheOthers) {
  std::atomic<int> ended = 0;
  RunLearners(3, [&](Collective& learner) {
    torch::Tensor values = ValuesOf(learner.rank());
    ASSERT_TRUE(learner.Sum(values).ok());
    if (learner.rank() == 1) return;
    for (int again = 0; again < 2; ++again) {
      torch::Tensor more = ValuesOf(learner.rank());
      const absl::Status status = learner.Sum(more);
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("learner 1 of 3 has left"));
      EXPECT_TRUE(torch::equal(more, ValuesOf(learner.rank())));
    }
    ++ended;
  });
  EXPECT_EQ(ended, 2);
}

}  // namespace
}  // namespace cadre
