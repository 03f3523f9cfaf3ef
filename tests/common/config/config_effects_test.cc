#include "common/config/config_effects.h"

#include <string>

#include "common/config/config.h"
#include "common/config/config_validation.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const EnvironmentCatalog& Catalog() {
  static const EnvironmentCatalog catalog{{{"CartPole-v1", true}, {"Pendulum-v1", false}}};
  return catalog;
}

ExperimentConfig Parsed(const std::string& settings, const std::string& environment) {
  const auto config = ParseConfig(
      settings + " name: 'a' environment { id: '" + environment + "' } stop { env_steps: 10000 }",
      "test");
  EXPECT_TRUE(config.ok()) << config.status();
  return *config;
}

std::string Errors(const ExperimentConfig& config) {
  return std::string(ValidateConfig(config, Catalog()).message());
}

struct Case {
  const char* environment;
  const char* settings;  // Where the field has an effect, without it.
  const char* without;   // What takes its effect away.
  const char* given;     // The field at another value than its default.
  const char* field;
};

// Text format merges messages that come twice.
constexpr Case kCases[] = {
    {"Pendulum-v1", "ppo {}", nullptr, "model { mlp { initial_log_std: -1 } }",
     "model.mlp.initial_log_std"},
    {"Pendulum-v1", "impala {}", nullptr, "model { mlp { min_log_std: -2 } }",
     "model.mlp.min_log_std"},
    {"Pendulum-v1", "sac {}", nullptr, "model { mlp { max_log_std: 1 } }", "model.mlp.max_log_std"},
    {"CartPole-v1", "ppo {}", "", "model { mlp { initial_log_std: -1 } }",
     "model.mlp.initial_log_std"},
    {"CartPole-v1", "ppo {}", "", "model { mlp { min_log_std: -2 } }", "model.mlp.min_log_std"},
    {"CartPole-v1", "sac {}", "", "model { mlp { max_log_std: 1 } }", "model.mlp.max_log_std"},
    {"CartPole-v1", "n_step_q {}", "", "model { mlp { max_log_std: 1 } }", "model.mlp.max_log_std"},
    {"Pendulum-v1", "sac {}", "", "model { mlp { initial_log_std: -1 } }",
     "model.mlp.initial_log_std"},
    {"Pendulum-v1", "ddpg {}", "", "model { mlp { initial_log_std: -1 } }",
     "model.mlp.initial_log_std"},
    {"Pendulum-v1", "td3 {}", "", "model { mlp { max_log_std: 1 } }", "model.mlp.max_log_std"},
    {"CartPole-v1", "dqn {}", "", "model { mlp { initial_log_std: -1 } }",
     "model.mlp.initial_log_std"},
    {"CartPole-v1", "ppo {}", "", "model { mlp { state_dependent_log_std: true } }",
     "model.mlp.state_dependent_log_std"},
    {"Pendulum-v1", "sac {}", "", "model { mlp { state_dependent_log_std: true } }",
     "model.mlp.state_dependent_log_std"},
    {"Pendulum-v1", "td3 {}", "", "model { mlp { state_dependent_log_std: true } }",
     "model.mlp.state_dependent_log_std"},
    {"CartPole-v1", "n_step_q {}", "", "model { mlp { state_dependent_log_std: true } }",
     "model.mlp.state_dependent_log_std"},
    {"CartPole-v1", "a2c {}", nullptr, "model { mlp { shared_trunk: true } }",
     "model.mlp.shared_trunk"},
    {"Pendulum-v1", "ppo {}", nullptr, "model { mlp { state_dependent_log_std: true } }",
     "model.mlp.state_dependent_log_std"},
    {"CartPole-v1", "n_step_sarsa {}", "", "model { mlp { shared_trunk: true } }",
     "model.mlp.shared_trunk"},
    {"CartPole-v1", "ppo {}", "model { mlp { linear: true } }",
     "model { mlp { activation: RELU } }", "model.mlp.activation"},
    {"CartPole-v1", "dqn {} model { mlp { hidden: 8 } }", nullptr,
     "model { mlp { layer_norm: true } }", "model.mlp.layer_norm"},
    {"CartPole-v1", "a2c {}", "model { memory {} }", "model { mlp { layer_norm: true } }",
     "model.mlp.layer_norm"},
    {"CartPole-v1", "ppo {} model { encoder { mlp { hidden: 8 } } }",
     "model { mlp { shared_trunk: true } }", "model { separate_encoders: true }",
     "model.separate_encoders"},
    {"CartPole-v1", "sac {} model { encoder { mlp { hidden: 8 } } }", "",
     "model { separate_encoders: true }", "model.separate_encoders"},
    {"CartPole-v1", "ppo {}", "", "model { separate_encoders: true }", "model.separate_encoders"},
    {"CartPole-v1", "ppo { decoupled: true }", "ppo { decoupled: false }", "ppo { max_weight: 5 }",
     "ppo.max_weight"},
    {"CartPole-v1", "ppo { decoupled: true }", "ppo { decoupled: false }",
     "ppo { proximal_decay: 0.5 }", "ppo.proximal_decay"},
    {"CartPole-v1", "ppo { learning_rate_schedule { shape: LINEAR } }",
     "ppo { learning_rate_schedule { shape: CONSTANT } }",
     "ppo { learning_rate_schedule { final_share: 0.1 } }",
     "ppo.learning_rate_schedule.final_share"},
    {"CartPole-v1", "a2c { optimizer { learning_rate_schedule { shape: COSINE } } }",
     "a2c { optimizer { learning_rate_schedule { shape: CONSTANT } } }",
     "a2c { optimizer { learning_rate_schedule { final_share: 0.1 } } }",
     "a2c.optimizer.learning_rate_schedule.final_share"},
    {"CartPole-v1", "ppo {} normalization { rewards: true }", "normalization { rewards: false }",
     "normalization { clip: 5 }", "normalization.clip"},
    {"CartPole-v1", "ppo {}", "ppo { objective: ADAPTIVE_KL }", "ppo { clip_range: 0.1 }",
     "ppo.clip_range"},
    {"CartPole-v1", "ppo {}", "ppo { objective: ADAPTIVE_KL }",
     "ppo { clip_range_schedule { shape: LINEAR } }", "ppo.clip_range_schedule"},
    {"CartPole-v1", "ppo { objective: ADAPTIVE_KL }", "ppo { objective: CLIPPED }",
     "ppo { kl_target: 0.02 }", "ppo.kl_target"},
    {"CartPole-v1", "ppo { objective: ADAPTIVE_KL }", "ppo { objective: CLIPPED }",
     "ppo { initial_kl_beta: 2 }", "ppo.initial_kl_beta"},
    {"CartPole-v1", "ppo {}", "ppo { value_coefficient: 0 }", "ppo { value_clip_range: 0.2 }",
     "ppo.value_clip_range"},
    {"CartPole-v1", "dqn {}", "dqn { distributional {} }", "dqn { loss: HUBER }", "dqn.loss"},
    {"CartPole-v1", "dqn {}", "actors { count: 1 environments_per_actor: 1 }",
     "dqn { epsilon_greedy { spread: 7 } }", "dqn.epsilon_greedy.spread"},
    {"CartPole-v1", "dqn {}", "dqn { epsilon_greedy { initial: 0.05 } }",
     "dqn { epsilon_greedy { decay_share: 0.1 } }", "dqn.epsilon_greedy.decay_share"},
    {"CartPole-v1", "dqn { boltzmann {} }", "dqn { boltzmann { final_temperature: 1 } }",
     "dqn { boltzmann { decay_share: 0.1 } }", "dqn.boltzmann.decay_share"},
    {"CartPole-v1", "n_step_q {}", "actors { count: 1 environments_per_actor: 1 }",
     "n_step_q { epsilon_greedy { spread: 7 } }", "n_step_q.epsilon_greedy.spread"},
    {"CartPole-v1", "n_step_q {}", "n_step_q { epsilon_greedy { final: 1 } }",
     "n_step_q { epsilon_greedy { decay_share: 0.1 } }", "n_step_q.epsilon_greedy.decay_share"},
    {"CartPole-v1", "n_step_sarsa {}", "actors { count: 1 environments_per_actor: 1 }",
     "n_step_sarsa { epsilon_greedy { spread: 7 } }", "n_step_sarsa.epsilon_greedy.spread"},
    {"CartPole-v1", "n_step_sarsa {}", "n_step_sarsa { epsilon_greedy { final: 1 } }",
     "n_step_sarsa { epsilon_greedy { decay_share: 0.1 } }",
     "n_step_sarsa.epsilon_greedy.decay_share"},
    {"Pendulum-v1", "ddpg {}", "ddpg { noise { ornstein_uhlenbeck { deviation: 0 } } }",
     "ddpg { noise { ornstein_uhlenbeck { rate: 0.3 } } }", "ddpg.noise.ornstein_uhlenbeck.rate"},
    {"Pendulum-v1", "td3 {}", "td3 { noise { ornstein_uhlenbeck { deviation: 0 } } }",
     "td3 { noise { ornstein_uhlenbeck { rate: 0.3 } } }", "td3.noise.ornstein_uhlenbeck.rate"},
    {"Pendulum-v1", "td3 {}", "td3 { target_noise_clip: 0 }", "td3 { target_noise: 0.1 }",
     "td3.target_noise"},
    {"Pendulum-v1", "td3 {}", "td3 { target_noise: 0 }", "td3 { target_noise_clip: 0.1 }",
     "td3.target_noise_clip"},
    {"CartPole-v1", "sac {}", "sac { learn_temperature: false }", "sac { target_entropy: 0.3 }",
     "sac.target_entropy"},
    {"CartPole-v1", "sac {}", "sac { learn_temperature: false }",
     "sac { temperature_learning_rate: 1e-2 }", "sac.temperature_learning_rate"},
    {"Pendulum-v1", "sac {}", "sac { learn_temperature: false }", "sac { max_temperature: 5 }",
     "sac.max_temperature"},
    {"CartPole-v1", "impala {}", "impala { correction: false }", "impala { rho_bar: 2 }",
     "impala.rho_bar"},
    {"CartPole-v1", "impala {}", "impala { correction: false }", "impala { c_bar: 2 }",
     "impala.c_bar"},
    {"CartPole-v1", "dqn {} actors { mode: ASYNCHRONOUS }", "actors { mode: LOCKSTEP }",
     "replay { slack_steps: 5000 }", "replay.slack_steps"},
    {"CartPole-v1", "dqn {}", "", "replay { sequences { length: 20 } }", "replay.sequences"},
    {"CartPole-v1", "dqn {}", "replay { prioritized { alpha: 0 } }",
     "replay { prioritized { initial_beta: 0.5 } }", "replay.prioritized.initial_beta"},
    {"CartPole-v1", "dqn {}", "replay { prioritized { alpha: 0 } }",
     "replay { prioritized { final_beta: 0.5 } }", "replay.prioritized.final_beta"},
    {"CartPole-v1", "dqn {}", "replay { prioritized { alpha: 0 } }",
     "replay { prioritized { epsilon: 0.5 } }", "replay.prioritized.epsilon"},
    {"CartPole-v1", "ppo {} evaluation { every_env_steps: 100 }", nullptr,
     "evaluation { episodes: 3 }", "evaluation.episodes"},
    {"CartPole-v1", "ppo {} evaluation { every_env_steps: 0 }", nullptr,
     "evaluation { episodes: 3 }", "evaluation.episodes"},
    {"CartPole-v1", "ppo {}", "", "evaluation { episodes: 3 }", "evaluation.episodes"},
};

// Merged: a field given again takes the later value.
ExperimentConfig Merged(const Case& of, bool with_effect) {
  ExperimentConfig config = Parsed(of.settings, of.environment);
  const auto merge = [&](const char* text) {
    const auto more = ParseConfig(text, "test");
    ASSERT_TRUE(more.ok()) << more.status();
    config.MergeFrom(*more);
  };
  if (!with_effect) merge(of.without);
  merge(of.given);
  return config;
}

TEST(ConfigEffectsTest, ASettingWithoutEffectIsRefusedByName) {
  for (const Case& of : kCases) {
    if (of.without == nullptr) continue;
    const ExperimentConfig config = Merged(of, /*with_effect=*/false);
    EXPECT_THAT(Errors(config), HasSubstr(std::string(of.field) + ": got "))
        << config.DebugString();
    EXPECT_THAT(Errors(config), HasSubstr("which has no effect here; wanted only "));
  }
}

TEST(ConfigEffectsTest, TheSameSettingWithAnEffectIsTaken) {
  for (const Case& of : kCases) {
    if (of.without != nullptr && *of.without == '\0') continue;  // Never in this experiment.
    const ExperimentConfig config = Merged(of, /*with_effect=*/true);
    EXPECT_THAT(Errors(config), IsEmpty()) << config.DebugString();
    ExperimentConfig resolved = ResolveConfig(config);
    EXPECT_THAT(Errors(resolved), IsEmpty()) << "resolved: " << resolved.DebugString();
  }
}

TEST(ConfigEffectsTest, WhatHasNoEffectIsNotWrittenOut) {
  for (const Case& of : kCases) {
    if (of.without == nullptr) continue;
    ExperimentConfig config = Merged(of, /*with_effect=*/false);
    ClearWithoutEffect(of.environment == std::string("CartPole-v1"), &config);
    EXPECT_THAT(Errors(config), IsEmpty()) << config.DebugString();
  }
  const ExperimentConfig resolved =
      ResolveConfig(Parsed("sac { learn_temperature: false }", "Pendulum-v1"));
  EXPECT_FALSE(resolved.sac().has_max_temperature());
  EXPECT_FALSE(resolved.model().mlp().has_initial_log_std());
  EXPECT_TRUE(resolved.model().mlp().has_max_log_std());
}

// Folders of runs have it written out.
TEST(ConfigEffectsTest, ADefaultIsNotRefused) {
  EXPECT_THAT(
      Errors(Parsed("ppo { kl_target: 0.01 } model { mlp { initial_log_std: 0 } }", "CartPole-v1")),
      IsEmpty());
  EXPECT_THAT(Errors(Parsed("dqn {} replay { slack_steps: 4096 }", "CartPole-v1")), IsEmpty())
      << "what resolving a config in lockstep wrote";
}

TEST(ConfigEffectsTest, AllAreNamedAtOnce) {
  const std::string errors = Errors(Parsed(
      "sac { learn_temperature: false target_entropy: -1 max_temperature: 3 }", "Pendulum-v1"));
  EXPECT_EQ(errors,
            "sac.target_entropy: got -1, which has no effect here; wanted only with "
            "sac.learn_temperature\n"
            "sac.max_temperature: got 3, which has no effect here; wanted only with "
            "sac.learn_temperature");
}

}  // namespace
}  // namespace cadre
