#include "common/agreed_settings.h"

#include <string>

#include "common/config.h"
#include "common/experience_spec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<v1::AgreedSetting> SettingsOf(const std::string& text,
                                          const std::string& environment = "id: 'CartPole-v1'") {
  return AgreedSettings(
      ResolveConfig(*ParseConfig("name: 'a' environment { " + environment + " } " + text, "test")));
}

TEST(AgreedSettingsTest, EachFieldThatDiffersIsNamedWithBothValues) {
  const auto ours = SettingsOf("dqn { gamma: 0.9 } replay { n_step: 3 }");
  const auto theirs = SettingsOf(
      "dqn { gamma: 0.8 } replay { n_step: 5 } actors { environments_per_actor: 9 "
      "segment_length: 7 }");
  const absl::Status status = CheckAgreed(ours, theirs);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  for (const char* difference :
       {"actors.environments_per_actor: got 9; wanted 8",
        "actors.segment_length: got 7; wanted 128", "replay.n_step: got 5; wanted 3",
        "dqn.gamma: got 0.8; wanted 0.9"})
    EXPECT_THAT(std::string(status.message()), HasSubstr(difference));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("environment.id")));
  EXPECT_TRUE(CheckAgreed(ours, ours).ok());
}

TEST(AgreedSettingsTest, AlgorithmsEnvironmentsModesAndNormalizationDiffer) {
  const auto ours = SettingsOf("ppo {}");
  const auto difference = [&](const std::vector<v1::AgreedSetting>& theirs) {
    return std::string(CheckAgreed(ours, theirs).message());
  };
  EXPECT_THAT(difference(SettingsOf("a2c {}")), HasSubstr("algorithm: got a2c; wanted ppo"));
  EXPECT_THAT(difference(SettingsOf("ppo {}", "id: 'Acrobot-v1'")),
              HasSubstr("environment.id: got \"Acrobot-v1\"; wanted \"CartPole-v1\""));
  EXPECT_THAT(difference(SettingsOf("ppo {}", "id: 'CartPole-v1' max_episode_steps: 77")),
              HasSubstr("environment.max_episode_steps: got 77"));
  EXPECT_THAT(difference(SettingsOf("ppo {} model { mlp { activation: RELU } }")),
              HasSubstr("model.mlp.activation: got RELU; wanted TANH"));
  EXPECT_THAT(difference(SettingsOf("ppo {} model { mlp { hidden: [32, 32] } }")),
              HasSubstr("model.mlp.hidden: got [32, 32]; wanted [64, 64]"));
  EXPECT_THAT(difference(SettingsOf("ppo {} actors { mode: ASYNCHRONOUS }")),
              HasSubstr("actors.mode: got ASYNCHRONOUS; wanted LOCKSTEP"));
  EXPECT_THAT(difference(SettingsOf("ppo {} actors { count: 9 }")),
              HasSubstr("actors.count: got 9; wanted 2"));
  EXPECT_THAT(difference(SettingsOf("ppo {} normalization { rewards: true }")),
              HasSubstr("normalization.rewards: got true; wanted false"));
}

TEST(AgreedSettingsTest, WhatOneDoesNotGiveIsNotCompared) {
  const auto ours = SettingsOf("ppo {}");
  EXPECT_TRUE(CheckAgreed(ours, {}).ok());
  EXPECT_TRUE(CheckAgreed({}, ours).ok());
}

TEST(AgreedSettingsTest, AsynchronousActorsMayBeAnyNumber) {
  EXPECT_TRUE(CheckAgreed(SettingsOf("impala {} actors { mode: ASYNCHRONOUS }"),
                          SettingsOf("impala {} actors { mode: ASYNCHRONOUS count: 9 }"))
                  .ok());
}

std::vector<v1::AgreedSetting> LearnersOf(const std::string& replay, const std::string& mode) {
  return LearnersAgreedSettings(
      ResolveConfig(*ParseConfig("name: 'a' environment { id: 'CartPole-v1' } dqn {} replay { " +
                                     replay + " } actors { mode: " + mode + " }",
                                 "test")));
}

TEST(AgreedSettingsTest, AnAsynchronousLearnerAgreesWithItsTableOnTheSamplesForEachStepAlone) {
  const auto difference = [](const std::string& learners) {
    return std::string(
        CheckAgreed(LearnersOf("batch_size: 64 updates_per_step: 0.5", "ASYNCHRONOUS"),
                    LearnersOf(learners, "ASYNCHRONOUS"))
            .message());
  };
  EXPECT_EQ(difference("batch_size: 128 updates_per_step: 0.25"), "");
  EXPECT_EQ(difference("batch_size: 64 updates_per_step: 0.5 warmup_steps: 77"), "");
  EXPECT_THAT(difference("batch_size: 128 updates_per_step: 0.5"),
              HasSubstr("replay.updates_per_step x replay.batch_size: got 64; wanted 32"));
  EXPECT_THAT(difference("batch_size: 64 updates_per_step: 0.5 n_step: 3"),
              HasSubstr("replay.n_step: got 3; wanted 1"));
}

TEST(AgreedSettingsTest, InLockstepALearnerMayUpdateAsItLikesAfterTheSameWarmUp) {
  const auto difference = [](const std::string& learners) {
    return std::string(CheckAgreed(LearnersOf("batch_size: 64 updates_per_step: 0.5", "LOCKSTEP"),
                                   LearnersOf(learners, "LOCKSTEP"))
                           .message());
  };
  EXPECT_EQ(difference("batch_size: 128 updates_per_step: 2"), "");
  EXPECT_THAT(difference("warmup_steps: 77"), HasSubstr("replay.warmup_steps: got 77; wanted"));
}

TEST(AgreedSettingsTest, ActorsOfATableNeedNotKnowHowItIsSampled) {
  const auto actors = SettingsOf(
      "dqn {} replay { batch_size: 7 updates_per_step: 3 warmup_steps: 9 } actors { mode: "
      "ASYNCHRONOUS }");
  EXPECT_TRUE(CheckAgreed(LearnersOf("", "ASYNCHRONOUS"), actors).ok());
}

TEST(AgreedSettingsTest, ASpecWithThemHasTheSameColumns) {
  v1::ExperienceSpec spec;
  spec.add_columns()->set_name("obs");
  const v1::ExperienceSpec with =
      WithAgreedSettings(spec, AgreedSettings(ResolveConfig(*ParseConfig("ppo {}", "test"))));
  EXPECT_GT(with.agreed_size(), 5);
  EXPECT_TRUE(CheckSameSpec(spec, with).ok());
  const std::vector<v1::AgreedSetting> settings(with.agreed().begin(), with.agreed().end());
  EXPECT_EQ(AgreedNumber(settings, kEnvironmentsPerActor), 8);
}

}  // namespace
}  // namespace cadre
