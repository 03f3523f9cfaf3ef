#include "common/config/agreed_settings.h"

#include <set>
#include <string>
#include <vector>

#include "common/config/config.h"
#include "common/config/config_validation.h"
#include "common/experience/experience_spec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

std::vector<v1::AgreedSetting> SettingsOf(const std::string& text,
                                          const std::string& environment = "id: 'CartPole-v1'") {
  return AgreedSettings(
      ResolveConfig(*ParseConfig("name: 'a' environment { " + environment + " } " + text, "test")));
}

// A field that must agree, and two configs that differ in it alone.
struct Case {
  std::string field;
  std::string ours, theirs;  // What is written of the config.
  std::string wanted, got;   // As the message has it.
  std::string environment = "id: 'CartPole-v1'";
  std::string their_environment = environment;
};

std::vector<Case> Cases() {
  // The rest of a source, written out.
  const std::string atari =
      " frame_skip: 4 max_pool: true noop_max: 30 size: 84 grayscale: true frame_stack: 4 "
      "end_on_life_loss: false sign_rewards: true sticky_action_probability: 0 "
      "full_action_space: false fire_at_start: true }";
  const std::string mujoco =
      " frame_skip: 5 position_noise: 0 velocity_noise: 0 healthy_reward: 0 }";
  std::vector<Case> cases = {
      {"algorithm", "ppo {}", "impala {}", "ppo", "impala"},
      {"environment.id", "ppo {}", "ppo {}", "\"CartPole-v1\"", "\"Acrobot-v1\"",
       "id: 'CartPole-v1'", "id: 'Acrobot-v1'"},
      {"environment.max_episode_steps", "ppo {}", "ppo {}", "66", "77",
       "id: 'CartPole-v1' max_episode_steps: 66", "id: 'CartPole-v1' max_episode_steps: 77"},
      {"environment.gymnasium", "ppo {}", "ppo {}",
       "{ id: \"A-v0\" vector: false workers: 1 timeout_seconds: 60 max_restarts: 5 }",
       "{ id: \"B-v0\" vector: false workers: 1 timeout_seconds: 60 max_restarts: 5 }",
       "gymnasium { id: 'A-v0' }", "gymnasium { id: 'B-v0' }"},
      {"environment.atari", "ppo {}", "ppo {}", "{ game: \"pong\"" + atari,
       "{ game: \"qbert\"" + atari, "atari { game: 'pong' }", "atari { game: 'qbert' }"},
      {"environment.mujoco", "ppo {}", "ppo {}", "{ model: \"a\"" + mujoco,
       "{ model: \"b\"" + mujoco, "mujoco { model: 'a' }", "mujoco { model: 'b' }"},
      {"environment.plugin", "ppo {}", "ppo {}", "{ path: \"a\" }", "{ path: \"b\" }",
       "plugin { path: 'a' }", "plugin { path: 'b' }"},
      {"normalization.clip", "ppo {} normalization { observations: true clip: 5 }",
       "ppo {} normalization { observations: true clip: 6 }", "5", "6"},
      {"actors.delay_versions", "impala {} actors { delay_versions: 2 }",
       "impala {} actors { delay_versions: 3 }", "2", "3"},
      {"replay.n_step", "dqn {} replay { n_step: 3 }", "dqn {} replay { n_step: 5 }", "3", "5"},
      {"dqn.dueling", "dqn {}", "dqn { dueling: true }", "false", "true"},
      {"dqn.distributional.atoms", "dqn { distributional { atoms: 11 } }",
       "dqn { distributional { atoms: 21 } }", "11", "21"},
      {"dqn.distributional.min_value", "dqn { distributional { min_value: 0 max_value: 5 } }",
       "dqn { distributional { min_value: 1 max_value: 5 } }", "0", "1"},
      {"dqn.distributional.max_value", "dqn { distributional { min_value: 0 max_value: 5 } }",
       "dqn { distributional { min_value: 0 max_value: 6 } }", "5", "6"},
  };
  // Of every on-policy config, by what differs from ppo {}.
  struct OnPolicy {
    const char *field, *theirs, *wanted, *got;
  };
  for (const auto& [field, theirs, wanted, got] : std::vector<OnPolicy>{
           {"actors.environments_per_actor", "actors { environments_per_actor: 9 }", "8", "9"},
           {"actors.segment_length", "actors { segment_length: 7 }", "128", "7"},
           {"actors.count", "actors { count: 9 }", "2", "9"},
           {"learners.count", "learners { count: 2 }", "1", "2"},
           {"model.mlp.hidden", "model { mlp { hidden: [32, 32] } }", "[64, 64]", "[32, 32]"},
           {"model.mlp.activation", "model { mlp { activation: RELU } }", "TANH", "RELU"},
           {"model.mlp.layer_norm", "model { mlp { layer_norm: true } }", "false", "true"},
           {"model.mlp.shared_trunk", "model { mlp { shared_trunk: true } }", "false", "true"},
           {"model.mlp.min_log_std", "model { mlp { min_log_std: -7 } }", "-20", "-7"},
           {"model.mlp.max_log_std", "model { mlp { max_log_std: 1 } }", "2", "1"},
           {"normalization.observations", "normalization { observations: true }", "false", "true"},
           {"normalization.rewards", "normalization { rewards: true }", "false", "true"},
           {"model.mlp.state_dependent_log_std", "model { mlp { state_dependent_log_std: true } }",
            "false", "true"},
       })
    cases.push_back({field, "ppo {}", std::string("ppo {} ") + theirs, wanted, got});
  cases.push_back({"normalization.observations", "dqn {}",
                   "dqn {} normalization { observations: true }", "false", "true"});
  cases.push_back({"model.encoder", "ppo {} model { encoder { mlp { hidden: 8 } } }",
                   "ppo {} model { encoder { mlp { hidden: 9 } } }", "[{ mlp { hidden: 8 } }]",
                   "[{ mlp { hidden: 9 } }]"});
  cases.push_back({"model.separate_encoders", "ppo {} model { encoder { mlp { hidden: 8 } } }",
                   "ppo {} model { encoder { mlp { hidden: 8 } } separate_encoders: true }",
                   "false", "true"});
  cases.push_back({"model.memory", "ppo {} model { memory { units: 8 } }",
                   "ppo {} model { memory { units: 9 } }", "{ kind: GRU units: 8 }",
                   "{ kind: GRU units: 9 }"});
  // In lockstep the number of actors must agree, so this is not the mode alone.
  cases.push_back({"actors.mode", "impala {} actors { mode: LOCKSTEP }",
                   "impala {} actors { mode: ASYNCHRONOUS }", "LOCKSTEP", "ASYNCHRONOUS"});
  struct Wrapper {
    std::string field, theirs, wanted;
  };
  for (const auto& [field, theirs, wanted] : std::vector<Wrapper>{
           {"sticky_action_probability", "0.25", "0"},
           {"action_repeat", "2", "1"},
           {"rescale_actions", "true", "false"},
           {"reward_scale", "2", "1"},
           {"reward_clip", "5", "0"},
           {"rescale_observations", "true", "false"},
           {"observation_clip", "5", "0"},
           {"frame_stack", "4", "1"},
           {"time_aware", "true", "false"},
       })
    cases.push_back({"environment.wrappers." + field, "ppo {}", "ppo {}", wanted, theirs,
                     "id: 'CartPole-v1'",
                     "id: 'CartPole-v1' wrappers { " + field + ": " + theirs + " }"});
  const auto* oneof = ExperimentConfig::descriptor()->FindOneofByName("algorithm");
  for (int i = 0; i < oneof->field_count(); ++i) {
    const std::string name = oneof->field(i)->name();
    cases.push_back(
        {name + ".gamma", name + " { gamma: 0.9 }", name + " { gamma: 0.8 }", "0.9", "0.8"});
  }
  return cases;
}

TEST(AgreedSettingsTest, EachFieldThatDiffersIsNamedWithBothValues) {
  for (const Case& c : Cases()) {
    const auto ours = SettingsOf(c.ours, c.environment);
    const auto theirs = SettingsOf(c.theirs, c.their_environment);
    EXPECT_TRUE(CheckAgreed(ours, ours).ok());
    const absl::Status status = CheckAgreed(ours, theirs);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << c.field;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(c.field + ": got " + c.got + "; wanted " + c.wanted));
  }
}

TEST(AgreedSettingsTest, EveryFieldHasACaseAbove) {
  std::set<std::string> cases, fields;
  for (const Case& c : Cases()) {
    cases.insert(c.field);
    for (const v1::AgreedSetting& setting : SettingsOf(c.ours, c.environment))
      fields.insert(setting.field());
  }
  EXPECT_EQ(fields, cases);
}

TEST(AgreedSettingsTest, EveryDifferenceIsNamedAndNothingElse) {
  const std::string message(CheckAgreed(SettingsOf("dqn { gamma: 0.9 } replay { n_step: 3 }"),
                                        SettingsOf("dqn { gamma: 0.8 } replay { n_step: 5 }"))
                                .message());
  EXPECT_EQ(message,
            "the processes of this run have different settings: replay.n_step: got 5; wanted 3, "
            "and dqn.gamma: got 0.8; wanted 0.9");
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
