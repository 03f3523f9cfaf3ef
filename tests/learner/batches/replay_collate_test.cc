#include "learner/batches/replay_collate.h"

#include <cstring>
#include <limits>

#include "envs/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/loop/usable_items.h"
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
  EXPECT_EQ(batch->observations.only().sizes(), torch::IntArrayRef({3, 4}));
  EXPECT_EQ(batch->observations.only().data_ptr(), made_.columns[0]);
  EXPECT_EQ(batch->next_observations.only().data_ptr(),
            made_.columns[OffPolicyColumns().next_observation]);
  EXPECT_EQ(batch->rewards.data_ptr(), made_.columns[OffPolicyColumns().reward]);
  EXPECT_EQ(batch->discounts.data_ptr(), made_.columns[OffPolicyColumns().discount]);
  EXPECT_EQ(batch->weights.data_ptr(), made_.weights);
}

TEST_F(ReplayCollateTest, DiscreteActionsBecomeIndices) {
  auto* actions = reinterpret_cast<int32_t*>(made_.columns[OffPolicyColumns().action]);
  actions[0] = 1, actions[1] = 0, actions[2] = 1;
  const auto batch = CollateReplay(spaces_, made_.batch);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_TRUE(batch->actions.equal(torch::tensor({1, 0, 1}, torch::kInt64)));
}

TEST_F(ReplayCollateTest, AnActionThatTheSpaceLacksIsRefused) {
  reinterpret_cast<int32_t*>(made_.columns[OffPolicyColumns().action])[2] = 2;
  EXPECT_EQ(Error(made_), "batch column 'action' has 2; wanted 0 to 1");
}

TEST_F(ReplayCollateTest, AnItemThatIsOfNoUseHasAnotherInItsPlace) {
  const auto set = [this](int column, size_t at, float value) {
    reinterpret_cast<float*>(made_.columns[column])[at] = value;
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  made_.weights[0] = 0.25f;
  made_.weights[2] = 0.5f;
  set(OffPolicyColumns().reward, 1, std::numeric_limits<float>::infinity());
  set(OffPolicyColumns().next_observation, 9, nan);
  reinterpret_cast<int32_t*>(made_.columns[OffPolicyColumns().action])[0] = 1;
  const UsableItems items = KeepUsable(spaces_, made_.batch);
  EXPECT_THAT(items.unusable, testing::ElementsAre(1, 2));
  EXPECT_EQ(items.reason, "column 'reward' has inf; wanted a finite number");
  const auto batch = CollateReplay(spaces_, items.batch);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_EQ(batch->size(), 3) << "batches keep their size";
  for (int i = 1; i < 3; ++i) {
    EXPECT_TRUE(batch->observations.only()[i].equal(batch->observations.only()[0]));
    EXPECT_TRUE(batch->next_observations.only()[i].equal(batch->next_observations.only()[0]));
    EXPECT_TRUE(batch->rewards[i].equal(batch->rewards[0]));
    EXPECT_TRUE(batch->actions[i].equal(batch->actions[0]));
    EXPECT_EQ(batch->weights[i].item<float>(), 0.25f);
  }
  EXPECT_EQ(items.batch.keys, made_.batch.keys);
}

TEST_F(ReplayCollateTest, ActionsThatTheSpaceLacksAreReplacedToo) {
  auto* actions = reinterpret_cast<int32_t*>(made_.columns[OffPolicyColumns().action]);
  actions[0] = 2, actions[1] = 0, actions[2] = -1;
  const UsableItems items = KeepUsable(spaces_, made_.batch);
  EXPECT_THAT(items.unusable, testing::ElementsAre(0, 2));
  EXPECT_TRUE(CollateReplay(spaces_, items.batch)->actions.equal(torch::zeros({3}, torch::kInt64)));
}

TEST_F(ReplayCollateTest, ABatchThatIsAllRightIsNotCopied) {
  const UsableItems items = KeepUsable(spaces_, made_.batch);
  EXPECT_TRUE(items.unusable.empty());
  EXPECT_EQ(items.batch.owner, made_.batch.owner);
  EXPECT_EQ(items.batch.columns[0].bytes.data(), made_.batch.columns[0].bytes.data());
}

TEST_F(ReplayCollateTest, ABatchOfWhichNothingIsOfUseHasNoItems) {
  for (int i = 0; i < 3; ++i)
    reinterpret_cast<int32_t*>(made_.columns[OffPolicyColumns().action])[i] = 7;
  EXPECT_EQ(KeepUsable(spaces_, made_.batch).batch.items, 0);
}

TEST_F(ReplayCollateTest, AColumnOfAnotherShapeIsRefused) {
  made_.batch.columns[0].shape = {3, 5};
  EXPECT_THAT(Error(made_), HasSubstr("batch column 'obs': got DTYPE_FLOAT32[3, 5]; wanted 3 rows "
                                      "of 4 DTYPE_FLOAT32"));
}

TEST_F(ReplayCollateTest, AColumnThatIsMissingIsRefused) {
  made_.batch.columns.pop_back();
  EXPECT_THAT(Error(made_), HasSubstr("batch column 'discount': got nothing"));
}

// Bytes stay bytes until the network, and nothing is copied.
TEST(ReplayCollateSpacesTest, EveryColumnAndItsNextOneAreWrapped) {
  ActionSpace action = ActionSpace::Discrete(4);
  action.masked = true;
  const ReplaySpaces spaces({{{.name = "image", .dtype = v1::DTYPE_UINT8, .shape = {2, 3}},
                              {.name = "reading", .shape = {2}}}},
                            action);
  BatchMemoryPool pool;
  const BatchInMaking made = AllocateBatch(
      pool, *BatchColumns(TableConfig(), OffPolicySpec(spaces.observation, spaces.action)), 5);
  for (size_t c = 0; c < made.columns.size(); ++c)
    std::memset(made.columns[c], 0, made.batch.columns[c].bytes.size());
  const auto batch = CollateReplay(spaces, made.batch);
  ASSERT_TRUE(batch.ok()) << batch.status();
  const OffPolicyColumns columns(3);
  EXPECT_EQ(batch->observations.columns[0].data_ptr(), made.columns[0]);
  EXPECT_EQ(batch->observations.columns[0].scalar_type(), torch::kUInt8);
  EXPECT_EQ(batch->observations.columns[0].sizes(), torch::IntArrayRef({5, 2, 3}));
  EXPECT_EQ(batch->observations.columns[1].data_ptr(), made.columns[1]);
  EXPECT_EQ(batch->observations.mask.data_ptr(), made.columns[2]);
  EXPECT_EQ(batch->next_observations.columns[1].data_ptr(),
            made.columns[columns.next_observation + 1]);
  EXPECT_EQ(batch->next_observations.mask.data_ptr(), made.columns[columns.next_observation + 2]);
  EXPECT_EQ(batch->discounts.data_ptr(), made.columns[columns.discount]);

  BatchInMaking other = made;
  other.batch.columns[columns.next_observation].shape = {5, 7};
  EXPECT_THAT(
      std::string(CollateReplay(spaces, other.batch).status().message()),
      HasSubstr("batch column 'next_obs.image': got DTYPE_UINT8[5, 7]; wanted 5 rows of 6"));
}

TEST(ReplayCollateSpacesTest, WhatIsNotFiniteInAnyFloatColumnIsReplaced) {
  const ReplaySpaces spaces({{{.name = "image", .dtype = v1::DTYPE_UINT8, .shape = {2}},
                              {.name = "reading", .shape = {2}}}},
                            ActionSpace::Discrete(4));
  BatchMemoryPool pool;
  BatchInMaking made = AllocateBatch(
      pool, *BatchColumns(TableConfig(), OffPolicySpec(spaces.observation, spaces.action)), 3);
  for (size_t c = 0; c < made.columns.size(); ++c)
    std::memset(made.columns[c], 0, made.batch.columns[c].bytes.size());
  reinterpret_cast<float*>(made.columns[OffPolicyColumns(2).next_observation + 1])[3] =
      std::numeric_limits<float>::infinity();
  const UsableItems items = KeepUsable(spaces, made.batch);
  EXPECT_EQ(items.unusable, (std::vector<int64_t>{1}));
  EXPECT_EQ(items.reason, "column 'next_obs.reading' has inf; wanted a finite number");
}

}  // namespace
}  // namespace cadre
