#include "policy/on_policy_columns.h"

#include "common/experience/experience_spec.h"
#include "gtest/gtest.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

TEST(OnPolicySpecTest, DiscreteActions) {
  const v1::ExperienceSpec spec = OnPolicySpec({}, VectorSpace(4), DiscreteActions(2));
  EXPECT_TRUE(ValidateSpec(spec).ok());
  EXPECT_EQ(DescribeSpec(spec),
            "obs float32[4] per observation, action int32[], reward float32[], log_prob "
            "float32[], version int64[]");
}

TEST(OnPolicySpecTest, ContinuousActionsWithNormalisedRewards) {
  ExperimentConfig config;
  config.mutable_normalization()->set_rewards(true);
  const v1::ExperienceSpec spec = OnPolicySpec(config, VectorSpace(3), ContinuousActions(2));
  EXPECT_EQ(DescribeSpec(spec),
            "obs float32[3] per observation, action float32[2], reward float32[], log_prob "
            "float32[], version int64[], discounted_return float32[]");
}

TEST(OnPolicySpecTest, TheColumnsStandWhereTheirNamesSay) {
  ExperimentConfig config;
  config.mutable_normalization()->set_rewards(true);
  const v1::ExperienceSpec spec = OnPolicySpec(config, VectorSpace(3), DiscreteActions(2));
  EXPECT_EQ(ColumnIndex(spec, "obs"), 0);
  EXPECT_EQ(ColumnIndex(spec, "action"), OnPolicyColumns().action);
  EXPECT_EQ(ColumnIndex(spec, "reward"), OnPolicyColumns().reward);
  EXPECT_EQ(ColumnIndex(spec, "log_prob"), OnPolicyColumns().log_prob);
  EXPECT_EQ(ColumnIndex(spec, "version"), OnPolicyColumns().version);
  EXPECT_EQ(ColumnIndex(spec, "discounted_return"), OnPolicyColumns().discounted_return);
}

}  // namespace
}  // namespace cadre
