#include "policy/off_policy_columns.h"

#include "common/experience_spec.h"
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
  EXPECT_EQ(ColumnIndex(spec, "obs"), OffPolicyColumns::kObservation);
  EXPECT_EQ(ColumnIndex(spec, "action"), OffPolicyColumns::kAction);
  EXPECT_EQ(ColumnIndex(spec, "reward"), OffPolicyColumns::kReward);
  EXPECT_EQ(ColumnIndex(spec, "version"), OffPolicyColumns::kVersion);
}

}  // namespace
}  // namespace cadre
