#include "learner/weight_meaning.h"

#include <string>
#include <utility>

#include "common/config/config.h"
#include "envs/registry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::HasSubstr;

// The meanings of a whole config, for environment `id`.
std::vector<CheckpointManifest::Meaning> Meaning(const std::string& text, const std::string& id) {
  auto config = ParseConfig(text, "test");
  EXPECT_TRUE(config.ok()) << config.status();
  config->mutable_environment()->set_id(id);
  return WeightMeaning(ResolveConfig(*config), *FindEnvironment(id));
}

absl::Status Use(const std::string& saved, const std::string& now,
                 const std::string& id = "Pendulum-v1") {
  CheckpointManifest manifest;
  manifest.set_experiment("mine");
  manifest.set_env_steps(5000);
  for (CheckpointManifest::Meaning& meaning : Meaning(saved, id))
    *manifest.add_meanings() = std::move(meaning);
  return CheckWeightMeaning(manifest, Meaning(now, id));
}

TEST(WeightMeaningTest, WhatOnlyConcernsLearningMayChange) {
  EXPECT_EQ(Use("ppo {}",
                "ppo { learning_rate: 1e-5 gamma: 0.9 } actors { count: 7 } seed: 4 "
                "model { mlp { initial_log_std: -1 } } stop { env_steps: 9 }"),
            absl::OkStatus());
  EXPECT_EQ(Use("sac {}", "sac { temperature: 0.3 } replay { n_step: 3 batch_size: 8 }"),
            absl::OkStatus());
  // What has no effect: bounds of a deviation that the policy does not have, and of observations
  // that are not normalised.
  EXPECT_EQ(Use("ppo {}", "ppo {} model { mlp { min_log_std: -5 } }", "CartPole-v1"),
            absl::OkStatus());
  EXPECT_EQ(Use("td3 {}", "td3 {} model { mlp { min_log_std: -5 } }"), absl::OkStatus());
  EXPECT_EQ(Use("ddpg {}", "ddpg {} model { mlp { max_log_std: 1 } }"), absl::OkStatus());
  EXPECT_EQ(Use("ppo {}", "ppo {} normalization { clip: 5 }"), absl::OkStatus());
}

TEST(WeightMeaningTest, EachFieldIsRefusedByName) {
  const struct {
    const char *saved, *now, *difference, *id;
  } kCases[] = {
      {"ppo {}", "a2c {}", "algorithm: got a2c; wanted ppo", "Pendulum-v1"},
      {"ppo {}", "ppo {} model { mlp { activation: RELU } }",
       "model.mlp.activation: got RELU; wanted TANH", "Pendulum-v1"},
      {"ppo {}", "ppo {} model { mlp { hidden: [32, 32] } }",
       "model.mlp.hidden: got [32, 32]; wanted [64, 64]", "Pendulum-v1"},
      {"ppo {}", "ppo {} model { mlp { shared_trunk: true } }",
       "model.mlp.shared_trunk: got true; wanted false", "Pendulum-v1"},
      {"ppo {}", "ppo {} model { mlp { min_log_std: -5 } }",
       "model.mlp.min_log_std: got -5; wanted -20", "Pendulum-v1"},
      {"sac {}", "sac {} model { mlp { max_log_std: 1 } }",
       "model.mlp.max_log_std: got 1; wanted 2", "Pendulum-v1"},
      {"a2c {}", "a2c { optimizer { rms_prop { centered: true } } }",
       "a2c.optimizer: got rms_prop, centered; wanted rms_prop", "Pendulum-v1"},
      {"a3c { optimizer { sgd {} } }", "a3c { optimizer { sgd { momentum: 0.9 } } }",
       "a3c.optimizer: got sgd with momentum; wanted sgd", "Pendulum-v1"},
      {"ppo {} normalization { observations: true }", "ppo {}",
       "normalization.observations: got false; wanted true", "Pendulum-v1"},
      {"ppo {} normalization { observations: true }", "ppo {}",
       "normalization.clip: got not given; wanted 10", "Pendulum-v1"},
      {"ppo {}", "ppo {} normalization { rewards: true }",
       "normalization.rewards: got true; wanted false", "Pendulum-v1"},
      {"ppo {} normalization { observations: true }",
       "ppo {} normalization { observations: true clip: 5 }",
       "normalization.clip: got 5; wanted 10", "Pendulum-v1"},
      {"dqn {}", "dqn { dueling: true }", "dqn.dueling: got true; wanted false", "CartPole-v1"},
      {"dqn { distributional {} }", "dqn { distributional { max_value: 50 } }",
       "dqn.distributional.max_value: got 50; wanted 10", "CartPole-v1"},
      {"dqn { distributional {} }", "dqn { distributional { atoms: 11 } }",
       "dqn.distributional.atoms: got 11; wanted 51", "CartPole-v1"},
      {"dqn {}", "dqn { distributional {} }",
       "dqn.distributional.min_value: got -10; wanted not given", "CartPole-v1"},
      {"a2c { optimizer { rms_prop {} } }", "a2c { optimizer { sgd { momentum: 0.9 } } }",
       "a2c.optimizer: got sgd with momentum; wanted rms_prop", "CartPole-v1"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Use(c.saved, c.saved, c.id), absl::OkStatus());
    const absl::Status status = Use(c.saved, c.now, c.id);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << c.now;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the checkpoint at 5000 steps of 'mine'"));
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.difference));
  }
}

TEST(WeightMeaningTest, AnotherEnvironmentAndItsSpacesAreRefusedByName) {
  CheckpointManifest manifest;
  for (auto& meaning : Meaning("ppo {}", "CartPole-v1"))
    *manifest.add_meanings() = std::move(meaning);
  const std::string message(
      CheckWeightMeaning(manifest, Meaning("ppo {}", "Acrobot-v1")).message());
  for (const char* difference :
       {"environment.id: got \"Acrobot-v1\"; wanted \"CartPole-v1\"",
        "environment.observation: got DTYPE_FLOAT32 [6]; wanted DTYPE_FLOAT32 [4]",
        "environment.action: got 3 choices; wanted 2 choices"})
    EXPECT_THAT(message, HasSubstr(difference));
}

TEST(WeightMeaningTest, ARangeOfActionsIsAMeaning) {
  EnvironmentSpec spec = *FindEnvironment("Pendulum-v1");
  ExperimentConfig config = ResolveConfig(*ParseConfig("sac {}", "test"));
  config.mutable_environment()->set_id(spec.id);
  CheckpointManifest manifest;
  for (auto& meaning : WeightMeaning(config, spec)) *manifest.add_meanings() = std::move(meaning);
  spec.action.high = {1};
  EXPECT_THAT(std::string(CheckWeightMeaning(manifest, WeightMeaning(config, spec)).message()),
              HasSubstr("environment.action: got 1 numbers from [-2] to [1]; wanted 1 numbers from "
                        "[-2] to [2]"));
}

TEST(WeightMeaningTest, WhatAnOlderVersionDidNotSaveIsNotCompared) {
  EXPECT_EQ(CheckWeightMeaning(CheckpointManifest(), Meaning("ppo {}", "Pendulum-v1")),
            absl::OkStatus());
}

}  // namespace
}  // namespace cadre
