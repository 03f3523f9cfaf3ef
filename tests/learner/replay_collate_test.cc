#include "learner/replay_collate.h"

#include <limits>

#include "envs/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/example_replay.h"

namespace cadre {
namespace {

using testing::HasSubstr;

ReplaySpaces CartPole() {
  const EnvironmentSpec spec = *FindEnvironment("CartPole-v1");
  return {spec.observation, spec.action};
}

class ReplayCollateTest : public testing::Test {
 protected:
  std::string Error(const BatchInMaking& made) {
    return std::string(CollateReplay(spaces_, made.batch).status().message());
  }

  const ReplaySpaces spaces_ = CartPole();
  BatchMemoryPool pool_;
  Random random_{5};
  BatchInMaking made_ = ExampleReplayBatch(pool_, 3, random_);
};

TEST_F(ReplayCollateTest, FloatColumnsAreWrappedNotCopied) {
  const auto batch = CollateReplay(spaces_, made_.batch);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->size(), 3);
  EXPECT_EQ(batch->observations.sizes(), torch::IntArrayRef({3, 4}));
  EXPECT_EQ(batch->observations.data_ptr(), made_.columns[OffPolicyColumns::kObservation]);
  EXPECT_EQ(batch->next_observations.data_ptr(), made_.columns[OffPolicyColumns::kNextObservation]);
  EXPECT_EQ(batch->rewards.data_ptr(), made_.columns[OffPolicyColumns::kReward]);
  EXPECT_EQ(batch->discounts.data_ptr(), made_.columns[OffPolicyColumns::kDiscount]);
  EXPECT_EQ(batch->weights.data_ptr(), made_.weights);
}

TEST_F(ReplayCollateTest, DiscreteActionsBecomeIndices) {
  auto* actions = reinterpret_cast<int32_t*>(made_.columns[OffPolicyColumns::kAction]);
  actions[0] = 1, actions[1] = 0, actions[2] = 1;
  const auto batch = CollateReplay(spaces_, made_.batch);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_TRUE(batch->actions.equal(torch::tensor({1, 0, 1}, torch::kInt64)));
}

TEST_F(ReplayCollateTest, AnActionThatTheSpaceLacksIsRefused) {
  reinterpret_cast<int32_t*>(made_.columns[OffPolicyColumns::kAction])[2] = 2;
  EXPECT_EQ(Error(made_), "batch column 'action' has 2; wanted 0 to 1");
}

TEST_F(ReplayCollateTest, ANumberThatIsNotFiniteIsRefused) {
  reinterpret_cast<float*>(made_.columns[OffPolicyColumns::kReward])[1] =
      std::numeric_limits<float>::infinity();
  EXPECT_EQ(Error(made_), "batch column 'reward' has a value that is not finite");
}

TEST_F(ReplayCollateTest, AColumnOfAnotherShapeIsRefused) {
  made_.batch.columns[OffPolicyColumns::kObservation].shape = {3, 5};
  EXPECT_THAT(Error(made_), HasSubstr("batch column 'obs': got DTYPE_FLOAT32[3, 5]; wanted 3 rows "
                                      "of 4 DTYPE_FLOAT32"));
}

TEST_F(ReplayCollateTest, AColumnThatIsMissingIsRefused) {
  made_.batch.columns.pop_back();
  EXPECT_THAT(Error(made_), HasSubstr("batch column 'discount': got nothing"));
}

}  // namespace
}  // namespace cadre
