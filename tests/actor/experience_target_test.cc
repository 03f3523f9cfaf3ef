#include "actor/experience_target.h"

#include <string>

#include "common/config/agreed_settings.h"
#include "common/config/replay_config.h"
#include "common/experience/experience_spec.h"
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

MATCHER_P2(Is, address, target, "") { return arg.address == address && arg.target == target; }

absl::StatusOr<ExperienceTarget> Find(const ExperimentConfig& config, const std::string& addresses,
                                      int32_t index = 0) {
  return FindExperienceTarget(config, VectorSpace(4), DiscreteActions(2), addresses, index);
}

TEST(ExperienceTargetTest, OnPolicyItIsTheQueue) {
  const auto target = Find(Config(false), "localhost:5000", 3);
  ASSERT_TRUE(target.ok());
  EXPECT_THAT(target->places, ElementsAre(Is("localhost:5000", "on_policy")));
  EXPECT_EQ(target->first, 0);
  EXPECT_EQ(DescribeSpec(target->spec),
            DescribeSpec(OnPolicySpec(Config(false), VectorSpace(4), DiscreteActions(2))));
  EXPECT_EQ(target->spec.SerializeAsString(),
            WithAgreedSettings(target->spec, AgreedSettings(Config(false))).SerializeAsString())
      << "with what all processes must share";
  EXPECT_GT(target->spec.agreed_size(), 0);
  // Half of 1024 steps, in rollouts of 128.
  EXPECT_EQ(target->max_unsettled_rollouts, 4);
}

TEST(ExperienceTargetTest, ActorsAreSpreadOverTheServersOfATable) {
  for (int32_t index = 0; index < 7; ++index) {
    const auto target = Find(Config(true), "a:1,b:2,c:3", index);
    ASSERT_TRUE(target.ok());
    EXPECT_THAT(target->places, ElementsAre(Is("a:1", kReplayTable), Is("b:2", kReplayTable),
                                            Is("c:3", kReplayTable)));
    EXPECT_EQ(target->first, static_cast<size_t>(index % 3));
    EXPECT_EQ(DescribeSpec(target->spec),
              DescribeSpec(OffPolicySpec(VectorSpace(4), DiscreteActions(2))));
    EXPECT_GE(target->max_unsettled_rollouts, 1);
    EXPECT_LE(target->max_unsettled_rollouts, 8);
  }
}

TEST(ExperienceTargetTest, LearnersOfOneModelTakeFromAnyQueueUnlessTheyAreInLockstep) {
  ExperimentConfig config = Config(false);
  config.mutable_learners()->set_count(2);
  for (int32_t index = 0; index < 4; ++index) {
    config.mutable_actors()->set_mode(ActorsConfig::ASYNCHRONOUS);
    auto target = Find(config, "a:1", index);
    ASSERT_TRUE(target.ok());
    EXPECT_THAT(target->places, ElementsAre(Is("a:1", "on_policy/0"), Is("a:1", "on_policy/1")));
    EXPECT_EQ(target->first, static_cast<size_t>(index % 2));
    config.mutable_actors()->set_mode(ActorsConfig::LOCKSTEP);
    target = Find(config, "a:1", index);
    ASSERT_TRUE(target.ok());
    EXPECT_THAT(target->places, ElementsAre(Is("a:1", QueueName(config, index % 2))));
  }
}

TEST(ExperienceTargetTest, ALearnerWithAModelOfItsOwnHasItsOwnActors) {
  ExperimentConfig config = Config(false);
  config.mutable_a3c();
  config.mutable_learners()->set_count(2);
  config.mutable_actors()->set_mode(ActorsConfig::ASYNCHRONOUS);
  const auto target = Find(config, "a:1", 3);
  ASSERT_TRUE(target.ok());
  EXPECT_THAT(target->places, ElementsAre(Is("a:1", "on_policy/1")));
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
