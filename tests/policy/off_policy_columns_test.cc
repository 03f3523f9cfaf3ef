#include "policy/off_policy_columns.h"

#include "common/experience/experience_spec.h"
#include "common/experience/replay_batch.h"
#include "gtest/gtest.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

TEST(OffPolicySpecTest, DiscreteActions) {
  const v1::ExperienceSpec spec = OffPolicySpec(VectorSpace(4), DiscreteActions(2));
  EXPECT_TRUE(ValidateSpec(spec).ok());
  EXPECT_EQ(DescribeSpec(spec),
            "obs float32[4] per observation, action int32[], reward float32[], version int64[]");
}

TEST(OffPolicySpecTest, ContinuousActionsAndImages) {
  const ObservationSpace image{{{.dtype = v1::DTYPE_UINT8, .shape = {10, 10, 4}}}};
  EXPECT_EQ(DescribeSpec(OffPolicySpec(image, ContinuousActions(2))),
            "obs uint8[10,10,4] per observation, action float32[2], reward float32[], version "
            "int64[]");
}

TEST(OffPolicySpecTest, TheColumnsStandWhereTheirNamesSay) {
  const v1::ExperienceSpec spec = OffPolicySpec(VectorSpace(3), DiscreteActions(2));
  EXPECT_EQ(ColumnIndex(spec, "obs"), 0);
  EXPECT_EQ(ColumnIndex(spec, "action"), OffPolicyColumns().action);
  EXPECT_EQ(ColumnIndex(spec, "reward"), OffPolicyColumns().reward);
  EXPECT_EQ(ColumnIndex(spec, "version"), OffPolicyColumns().version);
}

TEST(OffPolicySpecTest, NormalisedRewardsBringTheDiscountedReturn) {
  const v1::ExperienceSpec spec =
      OffPolicySpec(VectorSpace(3), DiscreteActions(2), /*state_size=*/5,
                    /*normalizes_rewards=*/true);
  EXPECT_EQ(DescribeSpec(spec),
            "obs float32[3] per observation, action int32[], reward float32[], version int64[], "
            "discounted_return float32[], state float32[5]");
  const OffPolicyColumns columns(1, /*normalizes_rewards=*/true);
  EXPECT_EQ(ColumnIndex(spec, "discounted_return"), columns.discounted_return);
  EXPECT_EQ(ColumnIndex(spec, "state"), columns.state);
  EXPECT_EQ(OffPolicyColumns().discounted_return, -1);
  const auto batch = BatchColumns(TableConfig(), OffPolicySpec(VectorSpace(3), DiscreteActions(2),
                                                               0, /*normalizes_rewards=*/true));
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->at(columns.next_observation).name(), "next_obs");
  EXPECT_EQ(batch->at(columns.discount).name(), "discount");
}

TEST(OffPolicySpecTest, ADictionaryAndAMaskComeBeforeTheOtherColumns) {
  const ObservationSpace dictionary{{{.name = "image", .dtype = v1::DTYPE_UINT8, .shape = {4, 4}},
                                     {.name = "reading", .shape = {1}}}};
  ActionSpace action = ActionSpace::MultiDiscrete({3, 2});
  action.masked = true;
  const v1::ExperienceSpec spec = OffPolicySpec(dictionary, action);
  EXPECT_TRUE(ValidateSpec(spec).ok());
  EXPECT_EQ(DescribeSpec(spec),
            "obs.image uint8[4,4] per observation, obs.reading float32[1] per observation, "
            "action_mask uint8[5] per observation, action int32[2], reward float32[], version "
            "int64[]");
  const OffPolicyColumns columns(3);
  EXPECT_EQ(ColumnIndex(spec, "action"), columns.action);
  EXPECT_EQ(ColumnIndex(spec, "version"), columns.version);
  const auto batch = BatchColumns(TableConfig(), spec);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->at(columns.next_observation).name(), "next_obs.image");
  EXPECT_EQ(batch->at(columns.next_observation + 2).name(), "next_action_mask");
  EXPECT_EQ(batch->at(columns.discount).name(), "discount");
}

}  // namespace
}  // namespace cadre
