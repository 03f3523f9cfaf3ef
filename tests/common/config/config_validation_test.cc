#include "common/config/config_validation.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config/algorithm_traits.h"
#include "common/config/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

const EnvironmentCatalog& Catalog() {
  static const EnvironmentCatalog catalog{
      {{"CartPole-v1", true}, {"Acrobot-v1", true}, {"Pendulum-v1", false}}};
  return catalog;
}

ExperimentConfig Good() {
  absl::StatusOr<ExperimentConfig> config = ParseConfig(
      "name: 'good' environment { id: 'CartPole-v1' } ppo { minibatch_size: 256 } "
      "stop { env_steps: 100000 }",
      "test");
  EXPECT_EQ(config.status(), absl::OkStatus());
  return *std::move(config);
}

std::string ErrorsOf(const ExperimentConfig& config) {
  return std::string(ValidateConfig(config, Catalog()).message());
}

TEST(ConfigValidationTest, AcceptsAGoodConfig) {
  EXPECT_EQ(ValidateConfig(Good(), Catalog()), absl::OkStatus());
}

TEST(ConfigValidationTest, HowAPolicyWasTrainedDoesNotMatterToWhoeverActsWithIt) {
  const auto acting = [](const ExperimentConfig& config) {
    return std::string(ValidateForActing(config, Catalog()).message());
  };
  // Each of these is refused where it is to be trained.
  for (const char* training :
       {"a2c {} actors { mode: ASYNCHRONOUS }", "reinforce {} actors { delay_versions: 2 }",
        "a3c {} actors { mode: ASYNCHRONOUS }", "ppo { minibatch_size: 7 }",
        "ppo { learning_rate: -1 }", "dqn {} replay { capacity_steps: 1 }",
        "ppo {} evaluation { episodes: 3 }", "ppo {} replay {}", "a2c {} learners { count: 3 }",
        "sac { temperature: 9 max_temperature: 1 learn_temperature: true }"}) {
    ExperimentConfig config = *ParseConfig(
        absl::StrCat("name: 'old' environment { id: 'CartPole-v1' } stop { env_steps: 100000 } ",
                     training),
        "test");
    EXPECT_NE(ErrorsOf(config), "") << training;
    EXPECT_EQ(acting(config), "") << training;
  }
  ExperimentConfig config = Good();
  config.mutable_environment()->set_id("Nowhere-v1");
  EXPECT_THAT(acting(config), testing::HasSubstr("environment.id: got 'Nowhere-v1'"));
  config = Good();
  config.mutable_environment()->set_id("Pendulum-v1");
  config.mutable_dqn();
  EXPECT_THAT(acting(config), testing::HasSubstr("whose actions are continuous"));
  config = Good();
  config.clear_ppo();
  EXPECT_THAT(acting(config), testing::HasSubstr("algorithm: not given"));
  config = Good();
  config.mutable_model()->mutable_mlp()->add_hidden(-1);
  EXPECT_THAT(acting(config), testing::HasSubstr("model.mlp.hidden[0]: got -1"));
  config = Good();
  config.mutable_model()->mutable_mlp()->set_min_log_std(5);
  EXPECT_THAT(acting(config), testing::HasSubstr("model.mlp.min_log_std: got 5"));
}

TEST(ConfigValidationTest, AnEmptyConfigLacksExactlyWhatIsRequired) {
  const absl::Status status = ValidateConfig(ExperimentConfig(), Catalog());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "name: not given; wanted a string\n"
            "stop.env_steps: not given; wanted an integer of at least 1\n"
            "environment: not given; wanted one of id: \"...\", gymnasium { ... }, atari { ... }, "
            "mujoco { ... }, plugin { ... }\n"
            "algorithm: not given; wanted one of ppo { ... }, dqn { ... }, "
            "ddpg { ... }, td3 { ... }, sac { ... }, reinforce { ... }, a2c { ... }, "
            "a3c { ... }, impala { ... }, off_policy_gradient { ... }, npg { ... }, "
            "trpo { ... }, n_step_q { ... }, n_step_sarsa { ... }, redq { ... }");
}

TEST(ConfigValidationTest, SarsaWantsSegmentsOfTwoStepsAndDiscreteActions) {
  ExperimentConfig config = Good();
  config.mutable_n_step_sarsa();
  config.mutable_actors()->set_segment_length(2);
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_actors()->set_segment_length(1);
  EXPECT_EQ(ErrorsOf(config),
            "actors.segment_length: got 1; wanted at least 2 for n_step_sarsa, which learns "
            "nothing from the last step of a segment");
  config.mutable_actors()->set_segment_length(2);
  config.mutable_environment()->set_id("Pendulum-v1");
  EXPECT_THAT(ErrorsOf(config), testing::HasSubstr("wanted, for n_step_sarsa, discrete actions"));
}

TEST(ConfigValidationTest, ChecksBothEndsOfEveryKindOfRange) {
  ExperimentConfig config = Good();
  config.mutable_ppo()->set_gamma(1.0);       // max: inclusive.
  config.mutable_ppo()->set_gae_lambda(0.0);  // min: inclusive.
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_ppo()->set_gamma(1.01);
  config.mutable_ppo()->set_gae_lambda(-0.5);
  config.mutable_ppo()->set_clip_range(0);  // above: exclusive.
  config.mutable_ppo()->set_epochs(0);
  config.mutable_actors()->set_count(100001);
  EXPECT_EQ(ErrorsOf(config),
            "ppo.epochs: got 0; wanted an integer from 1 to 1000\n"
            "ppo.gamma: got 1.01; wanted a number from 0 to 1\n"
            "ppo.gae_lambda: got -0.5; wanted a number from 0 to 1\n"
            "ppo.clip_range: got 0; wanted a number above 0 and at most 10\n"
            "actors.count: got 100001; wanted an integer from 1 to 100000");
}

TEST(ConfigValidationTest, ALogDeviationStartsBetweenItsBounds) {
  ExperimentConfig config = Good();
  config.mutable_environment()->set_id("Pendulum-v1");
  MlpConfig& mlp = *config.mutable_model()->mutable_mlp();
  mlp.set_min_log_std(-1);
  mlp.set_max_log_std(-1);
  mlp.set_initial_log_std(-1);
  EXPECT_EQ(ErrorsOf(config), "");
  mlp.set_initial_log_std(-1.5);
  EXPECT_EQ(ErrorsOf(config),
            "model.mlp.initial_log_std: got -1.5; wanted min_log_std to max_log_std, -1 to -1");
  mlp.clear_initial_log_std();  // 0.
  EXPECT_EQ(ErrorsOf(config),
            "model.mlp.initial_log_std: got 0; wanted min_log_std to max_log_std, -1 to -1");
  mlp.set_initial_log_std(0.5);
  mlp.set_min_log_std(1);
  mlp.set_max_log_std(-1);
  EXPECT_THAT(ErrorsOf(config),
              testing::HasSubstr("model.mlp.min_log_std: got 1; wanted at most max_log_std, -1"));
  config.mutable_sac();  // Its deviation is an output: it does not start anywhere.
  mlp.clear_initial_log_std();
  mlp.set_min_log_std(-5);
  EXPECT_EQ(ErrorsOf(config), "");
}

TEST(ConfigValidationTest, ChecksEachElementOfAList) {
  ExperimentConfig config = Good();
  for (const int units : {64, 0, 70000}) config.mutable_model()->mutable_mlp()->add_hidden(units);
  EXPECT_EQ(ErrorsOf(config),
            "model.mlp.hidden[1]: got 0; wanted an integer from 1 to 65536\n"
            "model.mlp.hidden[2]: got 70000; wanted an integer from 1 to 65536");
}

TEST(ConfigValidationTest, RefusesNumbersThatAreNotFinite) {
  ExperimentConfig config = Good();
  config.mutable_ppo()->set_learning_rate(std::nan(""));
  config.mutable_stop()->set_mean_return(std::numeric_limits<double>::infinity());
  EXPECT_EQ(ErrorsOf(config),
            "ppo.learning_rate: got nan; wanted a number above 0 and at most 1\n"
            "stop.mean_return: got inf; wanted a finite number");
}

TEST(ConfigValidationTest, EveryDefaultIsInItsOwnRange) {
  ExperimentConfig config = ResolveConfig(Good());
  EXPECT_EQ(ErrorsOf(config), "");
}

TEST(ConfigValidationTest, AnUnknownEnvironmentBringsAGuessAndTheKnownOnes) {
  ExperimentConfig config = Good();
  config.mutable_environment()->set_id("CartPol-v1");
  EXPECT_EQ(ErrorsOf(config),
            "environment.id: got 'CartPol-v1'; did you mean 'CartPole-v1'? "
            "wanted one that `cadre envs` lists");
}

TEST(ConfigValidationTest, AnAlgorithmForOneKindOfActionsRefusesTheOther) {
  ExperimentConfig config = Good();
  config.mutable_ddpg();
  EXPECT_EQ(ErrorsOf(config),
            "environment.id: got 'CartPole-v1', whose actions are discrete; "
            "wanted, for ddpg, continuous actions");
  config.mutable_environment()->set_id("Pendulum-v1");
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_dqn();
  EXPECT_EQ(ErrorsOf(config),
            "environment.id: got 'Pendulum-v1', whose actions are continuous; "
            "wanted, for dqn, discrete actions");
  config.mutable_environment()->set_id("CartPole-v1");
  EXPECT_EQ(ErrorsOf(config), "");
}

// Bits-v0: several choices at once, and bytes alone are observed.
EnvironmentCatalog CatalogWithBits() {
  EnvironmentCatalog catalog = Catalog();
  catalog.entries.push_back(
      {.id = "Bits-v0", .discrete = true, .bytes = {}, .several_choices = true, .floats = false});
  return catalog;
}

TEST(ConfigValidationTest, AlgorithmsOfASingleChoiceAreRefusedSeveral) {
  for (const char* algorithm : {"dqn {}", "sac {}", "n_step_q {}", "n_step_sarsa {}"}) {
    const auto config = ParseConfig(absl::StrCat("name: 'bits' environment { id: 'Bits-v0' } "
                                                 "stop { env_steps: 100000 } ",
                                                 algorithm),
                                    "test");
    ASSERT_TRUE(config.ok());
    const std::string error(ValidateConfig(*config, CatalogWithBits()).message());
    const std::string name(algorithm, strcspn(algorithm, " "));
    EXPECT_THAT(error, testing::HasSubstr(absl::StrCat(
                           "environment.id: got 'Bits-v0', whose actions are several discrete "
                           "choices at once; wanted, for ",
                           name, ", single discrete actions")));
  }
  ExperimentConfig ppo = Good();
  ppo.mutable_environment()->set_id("Bits-v0");
  EXPECT_EQ(ValidateConfig(ppo, CatalogWithBits()), absl::OkStatus());
}

TEST(ConfigValidationTest, OnlyFloatsAreNormalised) {
  ExperimentConfig config = Good();
  config.mutable_normalization()->set_observations(true);
  EXPECT_EQ(ValidateConfig(config, CatalogWithBits()), absl::OkStatus());
  config.mutable_environment()->set_id("Bits-v0");
  EXPECT_EQ(ValidateConfig(config, CatalogWithBits()).message(),
            "normalization.observations: got true; wanted false for Bits-v0, which has no float32 "
            "observation to normalise");
}

TEST(ConfigValidationTest, PpoLearnsBothKindsOfActions) {
  ExperimentConfig config = Good();
  config.mutable_environment()->set_id("Pendulum-v1");
  EXPECT_EQ(ErrorsOf(config), "");
}

TEST(ConfigValidationTest, EveryAlgorithmHasTraits) {
  const auto* oneof = ExperimentConfig::descriptor()->FindOneofByName("algorithm");
  for (int i = 0; i < oneof->field_count(); ++i) {
    const auto* field = oneof->field(i);
    EXPECT_TRUE(field->message_type()->options().HasExtension(algorithm)) << field->name();
    EXPECT_GT(field->message_type()->options().GetExtension(algorithm).actions_size(), 0)
        << field->name();
    EXPECT_NE(field->message_type()->FindFieldByName("gamma"), nullptr) << field->name();
  }
}

TEST(ConfigValidationTest, MinibatchesMustDivideAnUpdate) {
  ExperimentConfig config = Good();  // 2 x 8 x 128 = 2048 steps.
  config.mutable_ppo()->set_minibatch_size(100);
  EXPECT_EQ(ErrorsOf(config),
            "ppo.minibatch_size: got 100; wanted a divisor of the 2048 steps of an update, "
            "actors.count 2 x environments_per_actor 8 x segment_length 128: 64 or 128");
  config.mutable_ppo()->set_minibatch_size(4096);
  EXPECT_EQ(ErrorsOf(config),
            "ppo.minibatch_size: got 4096; wanted a divisor of the 2048 steps of an update, "
            "actors.count 2 x environments_per_actor 8 x segment_length 128: 2048");
  config.mutable_ppo()->set_minibatch_size(2048);
  EXPECT_EQ(ErrorsOf(config), "");
}

TEST(ConfigValidationTest, TheLargestUpdateNeitherOverflowsNorHangs) {
  ExperimentConfig config = Good();
  config.mutable_actors()->set_count(100000);
  config.mutable_actors()->set_environments_per_actor(1000000);
  config.mutable_actors()->set_segment_length(1000000);
  config.mutable_ppo()->set_minibatch_size(2147483647);
  EXPECT_THAT(ErrorsOf(config),
              testing::HasSubstr("a divisor of the 100000000000000000 steps of an update"));
}

TEST(ConfigValidationTest, AQueueHoldsAtLeastAnUpdate) {
  ExperimentConfig config = Good();
  config.mutable_queue()->set_capacity_steps(2047);
  EXPECT_EQ(ErrorsOf(config),
            "queue.capacity_steps: got 2047; wanted at least the 2048 steps of an update, or 0");
  config.mutable_queue()->set_capacity_steps(2048);
  EXPECT_EQ(ErrorsOf(config), "");
}

TEST(ConfigValidationTest, LockstepToleratesNoLag) {
  ExperimentConfig config = Good();
  config.mutable_queue()->set_max_version_lag(3);
  EXPECT_EQ(ErrorsOf(config),
            "queue.max_version_lag: got 3; wanted 0 where actors.mode is LOCKSTEP");
  config.mutable_actors()->set_mode(ActorsConfig::ASYNCHRONOUS);
  EXPECT_EQ(ErrorsOf(config), "");
}

TEST(ConfigValidationTest, TheQueueAdmitsTheLagThatActorsAreForcedTo) {
  ExperimentConfig config = Good();
  config.mutable_actors()->set_delay_versions(10);
  EXPECT_EQ(ErrorsOf(config), "") << "lockstep's follows from it";
  config.mutable_queue()->set_max_version_lag(10);
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_queue()->set_max_version_lag(11);
  EXPECT_EQ(ErrorsOf(config),
            "queue.max_version_lag: got 11; wanted actors.delay_versions, 10, where actors.mode is "
            "LOCKSTEP");
  config.mutable_actors()->set_mode(ActorsConfig::ASYNCHRONOUS);
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_queue()->clear_max_version_lag();
  EXPECT_EQ(ErrorsOf(config),
            "queue.max_version_lag: got 4; wanted at least actors.delay_versions, 10, or every "
            "rollout is dropped");
}

TEST(ConfigValidationTest, OnlyAlgorithmsThatCorrectForItMayHaveStaleExperience) {
  std::vector<std::string> accepted, refused;
  const auto* oneof = ExperimentConfig::descriptor()->FindOneofByName("algorithm");
  for (int i = 0; i < oneof->field_count(); ++i) {
    const std::string name = oneof->field(i)->name();
    ExperimentConfig config;
    config.set_name("stale");
    config.mutable_stop()->set_env_steps(100000);
    config.GetReflection()->MutableMessage(&config, oneof->field(i));
    const bool discrete = Allows(TraitsOf(config), AlgorithmTraits::DISCRETE);
    config.mutable_environment()->set_id(discrete ? "CartPole-v1" : "Pendulum-v1");
    ASSERT_EQ(ErrorsOf(config), "") << name;
    ExperimentConfig asynchronous = config, delayed = config;
    asynchronous.mutable_actors()->set_mode(ActorsConfig::ASYNCHRONOUS);
    delayed.mutable_actors()->set_delay_versions(3);
    const bool fine = ErrorsOf(asynchronous).empty();
    EXPECT_EQ(ErrorsOf(delayed).empty(), fine) << name;
    (fine ? accepted : refused).push_back(name);
    if (fine) continue;
    EXPECT_THAT(ErrorsOf(asynchronous),
                testing::HasSubstr("actors.mode: got ASYNCHRONOUS; wanted LOCKSTEP for " + name));
    EXPECT_THAT(ErrorsOf(delayed),
                testing::HasSubstr("actors.delay_versions: got 3; wanted 0 for " + name));
  }
  EXPECT_THAT(refused, testing::ElementsAre("reinforce", "a2c", "a3c", "n_step_q", "n_step_sarsa"));
  ExperimentConfig a2c = Good();
  a2c.mutable_a2c();
  a2c.mutable_actors()->set_mode(ActorsConfig::ASYNCHRONOUS);
  const std::string message = ErrorsOf(a2c);
  EXPECT_EQ(accepted.size(), 10);
  for (const std::string& name : accepted)
    EXPECT_THAT(message.substr(message.find("these may have it")), testing::HasSubstr(name));
}

// --- Algorithms that learn from replay ---

ExperimentConfig GoodDqn(const std::string& more = "") {
  absl::StatusOr<ExperimentConfig> config = ParseConfig(
      "name: 'good' environment { id: 'CartPole-v1' } stop { env_steps: 100000 }" + more, "test");
  EXPECT_EQ(config.status(), absl::OkStatus());
  config->mutable_dqn();
  return *std::move(config);
}

TEST(ConfigValidationTest, OffPolicyAlgorithmsLearnTheirKindsOfActions) {
  EXPECT_EQ(ErrorsOf(GoodDqn()), "");
  ExperimentConfig config = GoodDqn();
  config.mutable_environment()->set_id("Pendulum-v1");
  EXPECT_THAT(ErrorsOf(config), testing::HasSubstr("wanted, for dqn, discrete actions"));
  config.mutable_td3();
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_sac();
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_environment()->set_id("CartPole-v1");
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_ddpg();
  EXPECT_THAT(ErrorsOf(config), testing::HasSubstr("wanted, for ddpg, continuous actions"));
}

TEST(ConfigValidationTest, WhatIsForTheOtherKindOfAlgorithmIsRefused) {
  ExperimentConfig ppo = Good();
  ppo.mutable_replay();
  EXPECT_EQ(ErrorsOf(ppo),
            "replay: given; wanted only for algorithms that learn from replay, which ppo does not");
  EXPECT_EQ(ErrorsOf(GoodDqn("queue {} model { mlp { shared_trunk: true } }")),
            "queue: given; wanted only for algorithms that learn on-policy, which dqn does not\n"
            "model.mlp.shared_trunk: given; wanted only for algorithms that learn on-policy, which "
            "dqn does not");
  EXPECT_EQ(ErrorsOf(GoodDqn("model { mlp { shared_trunk: false } }")), "")
      << "saying that it is off does no harm";
  EXPECT_EQ(ErrorsOf(GoodDqn("normalization { observations: true rewards: true }")), "")
      << "both kinds normalise";
}

TEST(ConfigValidationTest, AReplayHoldsTheWarmUpABatchAndARollout) {
  const auto errors = [](const std::string& replay) {
    return ErrorsOf(GoodDqn("actors { environments_per_actor: 4 segment_length: 50 } replay { " +
                            replay + " }"));
  };
  EXPECT_EQ(errors("capacity_steps: 999"),
            "replay.capacity_steps: got 999; wanted at least 1000: the largest of warmup_steps, "
            "1000, batch_size + n_step, 129, and a rollout's steps, 200");
  EXPECT_EQ(errors("capacity_steps: 1000"), "");
  EXPECT_EQ(errors("capacity_steps: 513 warmup_steps: 1 batch_size: 512"), "");
  EXPECT_THAT(errors("capacity_steps: 512 warmup_steps: 1 batch_size: 512"),
              testing::HasSubstr("batch_size + n_step, 513"));
  EXPECT_EQ(errors("capacity_steps: 200 warmup_steps: 1"), "");
  EXPECT_THAT(errors("capacity_steps: 199 warmup_steps: 1"),
              testing::HasSubstr("a rollout's steps, 200"));
}

TEST(ConfigValidationTest, AReplayHoldsTheWindowsOfAllEnvironments) {
  const auto errors = [](int environments, int length, int n_step, int capacity) {
    return ErrorsOf(GoodDqn(absl::StrCat(
        "actors { count: 1 environments_per_actor: ", environments, " segment_length: ", length,
        " } replay { warmup_steps: 100 n_step: ", n_step, " capacity_steps: ", capacity, " }")));
  };
  EXPECT_EQ(errors(64, 2, 50, 3000),
            "replay.capacity_steps: got 3000; wanted at least 3328: the largest of warmup_steps, "
            "100, batch_size + n_step, 178, and a rollout's steps, 128, and of the 3328 steps of "
            "64 environments in the rollouts that n_step, 50, may extend over");
  EXPECT_EQ(errors(64, 2, 50, 3328), "");
  EXPECT_THAT(errors(2048, 1, 10, 5000), testing::HasSubstr("wanted at least 20480: "));
  EXPECT_THAT(errors(2048, 1, 10, 10000), testing::HasSubstr("wanted at least 20480: "));
  EXPECT_EQ(errors(2048, 1, 10, 20480), "");
  EXPECT_EQ(errors(2048, 1, 1, 2048), "") << "single steps wait for nothing";
}

TEST(ConfigValidationTest, AReplaysBytesHoldTheWarmUp) {
  EnvironmentCatalog catalog = Catalog();
  for (EnvironmentCatalog::Entry& entry : catalog.entries)
    entry.bytes = {.observation = 16, .action = 4};
  const auto errors = [&](int64_t bytes) {
    return std::string(ValidateConfig(GoodDqn(absl::StrCat("replay { warmup_steps: 5000 "
                                                           "capacity_bytes: ",
                                                           bytes, " }")),
                                      catalog)
                           .message());
  };
  EXPECT_THAT(errors(100'000),
              testing::StartsWith("replay.capacity_bytes: got 100000; wanted at least "));
  const std::string error = errors(100'000);
  const size_t begin = error.find("at least ") + 9;
  int64_t smallest = 0;
  ASSERT_TRUE(absl::SimpleAtoi(error.substr(begin, error.find(':', begin) - begin), &smallest));
  EXPECT_EQ(errors(smallest), "");
  EXPECT_NE(errors(smallest - 1), "");
}

TEST(ConfigValidationTest, ARunThatCannotMakeAnUpdateIsRefused) {
  const auto on_policy = [](int64_t steps) {
    ExperimentConfig config = Good();
    config.mutable_stop()->set_env_steps(steps);
    return ErrorsOf(config);
  };
  EXPECT_EQ(on_policy(1), "") << "a round that has begun is learned from";
  const auto replay = [](const std::string& mode, const std::string& text, int64_t steps) {
    ExperimentConfig config = GoodDqn(
        absl::StrCat("actors { count: 1 environments_per_actor: 2 segment_length: 5 mode: ", mode,
                     " } replay { capacity_steps: 20000 ", text, " }"));
    config.mutable_stop()->set_env_steps(steps);
    return ErrorsOf(config);
  };
  // The round that ends the warm-up begins at 9,990.
  EXPECT_EQ(replay("LOCKSTEP", "warmup_steps: 10000", 9990),
            "stop.env_steps: got 9990; wanted at least 9991, the steps before the first update, "
            "with replay.warmup_steps 10000 and updates_per_step 1");
  EXPECT_EQ(replay("LOCKSTEP", "warmup_steps: 10000", 9991), "");
  // An update is due after ten rounds.
  EXPECT_THAT(replay("LOCKSTEP", "warmup_steps: 10000 updates_per_step: 0.01", 10080),
              testing::HasSubstr("wanted at least 10081"));
  EXPECT_EQ(replay("LOCKSTEP", "warmup_steps: 10000 updates_per_step: 0.01", 10081), "");
  EXPECT_THAT(replay("ASYNCHRONOUS", "warmup_steps: 10000", 9999),
              testing::HasSubstr("wanted at least 10000"));
  EXPECT_EQ(replay("ASYNCHRONOUS", "warmup_steps: 10000", 10000), "");
}

// Of numbers that are refused anyway it would say what makes no sense.
TEST(ConfigValidationTest, WhetherARunCanMakeAnUpdateIsAskedOnceAllFieldsAreInTheirRanges) {
  const auto errors = [](int actors) {
    return ErrorsOf(
        GoodDqn(absl::StrCat("actors { count: ", actors, " segment_length: 1 } replay { ",
                             "capacity_steps: 1000000 updates_per_step: 1e-6 }")));
  };
  EXPECT_EQ(errors(100'000),
            "stop.env_steps: got 100000; wanted at least 800001, the steps before the first "
            "update, with replay.warmup_steps 1000 and updates_per_step 1e-06");
  EXPECT_EQ(errors(100'001), "actors.count: got 100001; wanted an integer from 1 to 100000");
}

TEST(ConfigValidationTest, SarsaLearnsNothingFromEpisodesOfOneStep) {
  ExperimentConfig config = Good();
  config.mutable_n_step_sarsa();
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_environment()->set_max_episode_steps(1);
  EXPECT_THAT(ErrorsOf(config), testing::HasSubstr("environment.max_episode_steps: got 1"));
  config.mutable_n_step_q();
  EXPECT_EQ(ErrorsOf(config), "");
}

TEST(ConfigValidationTest, ReinforceLearnsAValueForTruncatedEpisodes) {
  ExperimentConfig config = Good();
  config.mutable_reinforce()->set_value_coefficient(0);
  EXPECT_THAT(ErrorsOf(config), testing::HasSubstr("reinforce.value_coefficient: got 0"));
}

TEST(ConfigValidationTest, BytesHoldAnUpdateAndABatch) {
  EnvironmentCatalog catalog = Catalog();
  for (EnvironmentCatalog::Entry& entry : catalog.entries)
    entry.bytes = {.observation = 100'000, .action = 4};
  ExperimentConfig config = Good();
  config.mutable_queue()->set_capacity_bytes(200'000'000);
  EXPECT_EQ(ValidateConfig(config, catalog).message(),
            "queue.capacity_bytes: got 200000000; wanted more than the 206440960 bytes of an "
            "update, 2 rollouts of 103220480 bytes");
  config.mutable_actors()->set_count(1);
  EXPECT_TRUE(ValidateConfig(config, catalog).ok()) << "one rollout is always admitted";
  EXPECT_EQ(ValidateConfig(GoodDqn("replay { batch_size: 10737 capacity_steps: 20000 }"), catalog)
                .message(),
            "replay.batch_size: got 10737; wanted at most 10731, as a learner's share of a batch "
            "is one message");
}

TEST(ConfigValidationTest, TheSlackLetsARolloutAndAnUpdatePass) {
  const auto errors = [](const std::string& mode, const std::string& replay) {
    return ErrorsOf(GoodDqn("actors { environments_per_actor: 4 segment_length: 10 mode: " + mode +
                            " } replay { " + replay + " }"));
  };
  EXPECT_EQ(errors("ASYNCHRONOUS", "n_step: 3 slack_steps: 48"), "");
  EXPECT_EQ(errors("ASYNCHRONOUS", "n_step: 3 slack_steps: 47"),
            "replay.slack_steps: got 47; wanted 0, or at least the items of a rollout, 48, and the "
            "steps of an update, 1");
  EXPECT_EQ(errors("ASYNCHRONOUS", "updates_per_step: 0.01 slack_steps: 100"), "");
  EXPECT_THAT(errors("ASYNCHRONOUS", "updates_per_step: 0.01 slack_steps: 99"),
              testing::HasSubstr("the steps of an update, 100"));
  EXPECT_EQ(errors("LOCKSTEP", "slack_steps: 1"),
            "replay.slack_steps: got 1, which has no effect here; wanted only with actors.mode "
            "ASYNCHRONOUS; in lockstep nobody is ahead");
  EXPECT_EQ(errors("ASYNCHRONOUS", "updates_per_step: 0 slack_steps: 1"),
            "replay.updates_per_step: got 0; wanted a number above 0 and at most 1000");
}

TEST(ConfigValidationTest, ALearnedTemperatureStartsWithinItsBound) {
  ExperimentConfig config = Good();
  config.mutable_sac()->set_temperature(3);
  config.mutable_sac()->set_max_temperature(2);
  EXPECT_EQ(ErrorsOf(config), "sac.temperature: got 3; wanted at most max_temperature, 2");
  config.mutable_sac()->set_max_temperature(3);
  EXPECT_EQ(ErrorsOf(config), "");
}

TEST(ConfigValidationTest, TheValuesOfC51AreARange) {
  EXPECT_EQ(ErrorsOf(GoodDqn("dqn { distributional { min_value: 0 max_value: 1 } }")), "");
  EXPECT_EQ(ErrorsOf(GoodDqn("dqn { distributional { min_value: 1 max_value: 1 } }")),
            "dqn.distributional.min_value: got 1; wanted less than max_value, 1");
}

TEST(ConfigValidationTest, NaturalGradientsMoveThePolicyAlone) {
  for (const std::string algorithm : {"npg", "trpo"}) {
    absl::StatusOr<ExperimentConfig> config =
        ParseConfig("name: 'natural' environment { id: 'Pendulum-v1' } " + algorithm + " {} " +
                        "model { mlp { shared_trunk: true } } stop { env_steps: 10000 }",
                    "test");
    ASSERT_EQ(config.status(), absl::OkStatus());
    EXPECT_EQ(ErrorsOf(*config),
              "model.mlp.shared_trunk: got true; wanted false for " + algorithm +
                  ", or fitting the value would move the policy out of its bound");
    config->mutable_model()->mutable_mlp()->set_shared_trunk(false);
    EXPECT_EQ(ErrorsOf(*config), "");
  }
}

TEST(ConfigValidationTest, ANameIsFitForAFolder) {
  ExperimentConfig config = Good();
  for (const char* name : {"", "a/b", "..", "a b", "x\n"}) {
    config.set_name(name);
    EXPECT_THAT(ErrorsOf(config), testing::StartsWith("name: got '")) << name;
  }
  config.set_name("ppo_Cart-Pole.v1");
  EXPECT_EQ(ErrorsOf(config), "");
}

TEST(ConfigValidationTest, ReportsEverythingAtOnce) {
  ExperimentConfig config = Good();
  config.set_name("a/b");
  config.mutable_environment()->set_id("Tetris");
  config.mutable_ppo()->set_gamma(2);
  config.mutable_ppo()->set_minibatch_size(100);
  config.mutable_queue()->set_capacity_steps(1);
  config.mutable_stop()->clear_env_steps();
  const std::string errors = ErrorsOf(config);
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 5) << errors;
}

TEST(ConfigValidationTest, LearnersInParallelTakeEqualShares) {
  ExperimentConfig config = Good();
  config.mutable_actors()->set_count(6);
  config.mutable_ppo()->set_minibatch_size(256);
  config.mutable_learners()->set_count(2);
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_learners()->set_count(3);
  EXPECT_EQ(ErrorsOf(config),
            "ppo.minibatch_size: got 256; wanted a multiple of learners.count, 3, as each learner "
            "takes an equal share");
  config.mutable_learners()->set_count(4);
  EXPECT_EQ(ErrorsOf(config), "learners.count: got 4; wanted a divisor of actors.count, 6");
}

TEST(ConfigValidationTest, LearnersTakeEqualSharesOfTheValuesMinibatches) {
  for (const std::string algorithm : {"npg", "trpo"}) {
    const auto errors = [&](const std::string& learners) {
      return ErrorsOf(*ParseConfig("name: 'natural' environment { id: 'Pendulum-v1' } " +
                                       algorithm + " {} learners { count: " + learners +
                                       " } actors { count: 6 } stop { env_steps: 100000 }",
                                   "test"));
    };
    EXPECT_EQ(errors("2"), "");
    EXPECT_EQ(errors("3"), algorithm +
                               ".value.minibatch_size: got 64; wanted a multiple of "
                               "learners.count, 3, as each learner takes an equal share");
  }
}

TEST(ConfigValidationTest, LearnersTakeEqualSharesOfAReplayBatch) {
  ExperimentConfig config = Good();
  config.mutable_dqn();
  config.mutable_learners()->set_count(2);
  EXPECT_EQ(ErrorsOf(config), "");
  config.mutable_replay()->set_batch_size(63);
  EXPECT_EQ(ErrorsOf(config),
            "replay.batch_size: got 63; wanted a multiple of learners.count, 2, as each learner "
            "takes an equal share");
}

}  // namespace
}  // namespace cadre
