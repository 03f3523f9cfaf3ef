#include "actor/experience_target.h"

#include <string>

#include "common/experience_spec.h"
#include "common/replay_config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/off_policy_columns.h"
#include "policy/on_policy_columns.h"
#include "tests/policy/example_networks.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ExperimentConfig Config(bool replay) {
  ExperimentConfig config;
  if (replay)
    config.mutable_dqn();
  else
    config.mutable_ppo();
  if (replay) config.mutable_actors()->set_mode(ActorsConfig::ASYNCHRONOUS);
  config.mutable_actors()->set_count(2);
  config.mutable_actors()->set_environments_per_actor(8);
  config.mutable_actors()->set_segment_length(16);
  config.mutable_queue()->set_capacity_steps(1024);
  return config;
}

absl::StatusOr<ExperienceTarget> Find(const ExperimentConfig& config, const std::string& addresses,
                                      int32_t index = 0) {
  return FindExperienceTarget(config, VectorSpace(4), DiscreteActions(2), addresses, index);
}

TEST(ExperienceTargetTest, OnPolicyItIsTheQueue) {
  const auto target = Find(Config(false), "localhost:5000", 3);
  ASSERT_TRUE(target.ok());
  EXPECT_THAT(target->addresses, ElementsAre("localhost:5000"));
  EXPECT_EQ(target->first, 0);
  EXPECT_EQ(target->name, "on_policy");
  EXPECT_EQ(DescribeSpec(target->spec),
            DescribeSpec(OnPolicySpec(Config(false), VectorSpace(4), DiscreteActions(2))));
  // Half of 1024 steps, in rollouts of 128.
  EXPECT_EQ(target->max_unsettled_rollouts, 4);
}

TEST(ExperienceTargetTest, ActorsAreSpreadOverTheServersOfATable) {
  for (int32_t index = 0; index < 7; ++index) {
    const auto target = Find(Config(true), "a:1,b:2,c:3", index);
    ASSERT_TRUE(target.ok());
    EXPECT_THAT(target->addresses, ElementsAre("a:1", "b:2", "c:3"));
    EXPECT_EQ(target->first, static_cast<size_t>(index % 3));
    EXPECT_EQ(target->name, kReplayTable);
    EXPECT_EQ(DescribeSpec(target->spec),
              DescribeSpec(OffPolicySpec(VectorSpace(4), DiscreteActions(2))));
    EXPECT_GE(target->max_unsettled_rollouts, 1);
    EXPECT_LE(target->max_unsettled_rollouts, 8);
  }
}

TEST(ExperienceTargetTest, SeveralServersOfAQueueAreRefused) {
  const absl::Status status = Find(Config(false), "a:1,b:2").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("got 2 addresses, 'a:1,b:2'; wanted one"));
}

TEST(ExperienceTargetTest, SeveralServersOfATableAreRefusedInLockstep) {
  ExperimentConfig config = Config(true);
  config.mutable_actors()->set_mode(ActorsConfig::LOCKSTEP);
  EXPECT_TRUE(Find(config, "a:1").ok());
  const absl::Status status = Find(config, "a:1,b:2").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("got 2 addresses, 'a:1,b:2'; wanted one where actors.mode is LOCKSTEP"));
}

TEST(ExperienceTargetTest, AnAddressLeftOutIsRefused) {
  for (const std::string addresses : {"", "a:1,", "a:1,,b:2"}) {
    EXPECT_EQ(Find(Config(true), addresses).status().code(), absl::StatusCode::kInvalidArgument)
        << addresses;
  }
}

}  // namespace
}  // namespace cadre
