#include "common/config/config.h"

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/config_validation.h"
#include "common/files/file_io.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

constexpr char kText[] = R"(
# proto-file: proto/config.proto   proto-message: cadre.ExperimentConfig
name: "ppo-cartpole"
environment { id: "CartPole-v1" }
model { mlp { hidden: [64, 32] activation: TANH } }
ppo { learning_rate: 3e-4 epochs: 10 minibatch_size: 256 clip_range: 0.2 }
actors { count: 2 environments_per_actor: 8 segment_length: 128 }
stop { env_steps: 500000 mean_return: 475 }
)";

ExperimentConfig Parsed(absl::string_view text) {
  absl::StatusOr<ExperimentConfig> config = ParseConfig(text, "test");
  EXPECT_EQ(config.status(), absl::OkStatus());
  return *std::move(config);
}

std::string TemporaryFile(absl::string_view contents) {
  const std::string path = testing::TempDir() + "/config_test.textproto";
  EXPECT_EQ(WriteFileAtomically(path, contents), absl::OkStatus());
  return path;
}

bool Same(const ExperimentConfig& a, const ExperimentConfig& b) {
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

TEST(ConfigTest, ReadsAnExperiment) {
  const ExperimentConfig config = Parsed(kText);
  EXPECT_EQ(config.environment().id(), "CartPole-v1");
  EXPECT_THAT(config.model().mlp().hidden(), ElementsAre(64, 32));
  EXPECT_EQ(config.ppo().learning_rate(), 3e-4);
  EXPECT_EQ(AlgorithmName(config), "ppo");
  EXPECT_EQ(StepsPerUpdate(config), 2 * 8 * 128);
}

TEST(ConfigTest, NoAlgorithmHasNoName) { EXPECT_EQ(AlgorithmName(ExperimentConfig()), ""); }

TEST(ConfigTest, StepsOfAnUpdateCountTheDefaultsToo) {
  EXPECT_EQ(StepsPerUpdate(ExperimentConfig()), 2 * 8 * 128);
}

TEST(ConfigTest, LoadsAFileAndAppliesOverridesInOrder) {
  const absl::StatusOr<ExperimentConfig> config = LoadConfig(
      TemporaryFile(kText), {"ppo.epochs=3", "ppo.epochs=4", "environment.id=Acrobot-v1"});
  ASSERT_EQ(config.status(), absl::OkStatus());
  EXPECT_EQ(config->ppo().epochs(), 4);
  EXPECT_EQ(config->environment().id(), "Acrobot-v1");
  EXPECT_EQ(config->ppo().minibatch_size(), 256);
}

TEST(ConfigTest, ReportsTheFilesAndTheOverridesErrorsTogether) {
  const std::string path = TemporaryFile("seed: x\nstop { env_steps: 1.5 }");
  const absl::Status status = LoadConfig(path, {"ppo.epochs=x", "nonsense"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            path + ":1:7: seed: got 'x'; wanted an integer of at least 0\n" + path +
                ":2:19: stop.env_steps: got '1.5'; wanted an integer of at least 1\n"
                "--set ppo.epochs=x: ppo.epochs: got 'x'; wanted an integer from 1 to 1000\n"
                "--set nonsense: wanted path=value");
}

TEST(ConfigTest, SaysWhichFileCannotBeRead) {
  const absl::Status missing = LoadConfig("/nowhere/a.textproto", {}).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.message(), "cannot read '/nowhere/a.textproto': No such file or directory");
  const absl::Status folder = LoadConfig("/tmp", {}).status();
  EXPECT_EQ(folder.message(), "cannot read '/tmp': Is a directory");
}

TEST(ConfigTest, ItsTextHasAHeaderAndParsesBack) {
  const ExperimentConfig config = Parsed(kText);
  const std::string text = ConfigText(config);
  EXPECT_THAT(text, StartsWith("# proto-file: proto/config.proto\n"
                               "# proto-message: cadre.ExperimentConfig\n"));
  EXPECT_THAT(text, testing::HasSubstr("hidden: [64, 32]"));
  EXPECT_TRUE(Same(Parsed(text), config));
  ExperimentConfig by_protobuf;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &by_protobuf));
  EXPECT_TRUE(Same(by_protobuf, config));
}

TEST(ConfigTest, ResolvingSaysEverything) {
  const ExperimentConfig config =
      ResolveConfig(Parsed("name: 'a' environment { id: 'x' } ppo {} stop { env_steps: 9 } "
                           "actors { count: 3 environments_per_actor: 5 segment_length: 7 }"));
  EXPECT_THAT(config.model().mlp().hidden(), ElementsAre(64, 64));
  EXPECT_EQ(config.queue().capacity_steps(), 4 * 3 * 5 * 7);
  EXPECT_TRUE(config.queue().has_max_version_lag());
  EXPECT_EQ(config.queue().max_version_lag(), 0) << "lockstep";
  EXPECT_TRUE(config.ppo().has_learning_rate());
  EXPECT_EQ(config.ppo().learning_rate(), 3e-4);
  EXPECT_TRUE(config.ppo().has_objective());
  EXPECT_TRUE(config.has_seed());
  EXPECT_TRUE(config.checkpoint().has_keep());
  EXPECT_TRUE(config.evaluation().has_episodes());
  EXPECT_FALSE(config.ppo().has_kl_target()) << "there is no penalty";
  EXPECT_FALSE(config.stop().has_mean_return()) << "not set means never";
  EXPECT_FALSE(config.stop().has_wall_seconds());
  EXPECT_TRUE(Same(ResolveConfig(config), config));
  EXPECT_TRUE(Same(Parsed(ConfigText(config)), config));
}

TEST(ConfigTest, HiddenLayersAreFilledInOnlyIfThereIsADefault) {
  const auto hidden = [](absl::string_view model) {
    const auto config = ResolveConfig(Parsed(absl::StrCat("ppo {} model { ", model, " }")));
    return std::vector<int>(config.model().mlp().hidden().begin(),
                            config.model().mlp().hidden().end());
  };
  EXPECT_THAT(hidden(""), ElementsAre(64, 64));
  EXPECT_THAT(hidden("mlp { activation: RELU }"), ElementsAre(64, 64));
  EXPECT_THAT(hidden("mlp { linear: true }"), ElementsAre());
  EXPECT_THAT(hidden("memory {}"), ElementsAre());
  EXPECT_THAT(hidden("encoder { mlp { hidden: 8 } }"), ElementsAre());
  EXPECT_THAT(hidden("encoder { mlp { hidden: 8 } } mlp { hidden: 3 }"), ElementsAre(3));
}

TEST(ConfigTest, WithoutDefaultsIsWhatAUserCouldHaveWritten) {
  const auto shortened = [](absl::string_view text) {
    return WithoutDefaults(ResolveConfig(Parsed(text)));
  };
  EXPECT_TRUE(Same(shortened(kText), Parsed(R"(
      name: "ppo-cartpole" environment { id: "CartPole-v1" } model { mlp { hidden: [64, 32] } }
      ppo { minibatch_size: 256 } stop { env_steps: 500000 mean_return: 475 })")));
  // Nothing that is derived, and with it another mode derives its own.
  ExperimentConfig config = shortened("a2c {} actors { delay_versions: 3 }");
  EXPECT_FALSE(config.has_queue());
  config.mutable_actors()->set_mode(ActorsConfig::ASYNCHRONOUS);
  config.mutable_actors()->set_count(5);
  EXPECT_EQ(ResolveConfig(config).queue().max_version_lag(), 4);
  EXPECT_EQ(ResolveConfig(config).queue().capacity_steps(), 4 * 5 * 8 * 128);
  EXPECT_FALSE(shortened("sac {} actors { mode: ASYNCHRONOUS }").has_replay());
  // What is not derived stays.
  EXPECT_EQ(shortened("a2c {} queue { capacity_steps: 5000 }").queue().capacity_steps(), 5000);
  EXPECT_EQ(shortened("sac {} actors { mode: ASYNCHRONOUS } replay { slack_steps: 7 }")
                .replay()
                .slack_steps(),
            7);
}

TEST(ConfigTest, WithoutDefaultsResolvesToTheSame) {
  for (absl::string_view text :
       {"ppo {}", "dqn { distributional {} boltzmann {} } replay { prioritized {} }", "dqn {}",
        "td3 { noise { ornstein_uhlenbeck {} } }", "ddpg {}", "a3c { optimizer { adam {} } }",
        "ppo {} model { mlp { linear: true } }", "ppo {} model { memory {} }",
        "ppo {} model { memory {} mlp { hidden: [64, 64] } }",
        "ppo {} model { encoder { cnn { preset: NATURE } } }",
        "sac {} actors { mode: ASYNCHRONOUS } replay { slack_steps: 64 }", kText}) {
    const ExperimentConfig config = ResolveConfig(Parsed(text));
    EXPECT_TRUE(Same(ResolveConfig(WithoutDefaults(config)), config)) << text;
  }
}

TEST(ConfigTest, LockstepsLagIsTheDelayOfItsActors) {
  const ExperimentConfig config = ResolveConfig(Parsed("impala {} actors { delay_versions: 10 }"));
  EXPECT_EQ(config.queue().max_version_lag(), 10);
  EXPECT_TRUE(Same(ResolveConfig(config), config));
}

TEST(ConfigTest, ResolvingKeepsWhatWasChosen) {
  const ExperimentConfig config =
      ResolveConfig(Parsed("model { mlp { hidden: 8 } } actors { mode: ASYNCHRONOUS } "
                           "queue { capacity_steps: 5000 max_version_lag: 2 } "));
  EXPECT_THAT(config.model().mlp().hidden(), ElementsAre(8));
  EXPECT_EQ(config.queue().capacity_steps(), 5000);
  EXPECT_EQ(config.queue().max_version_lag(), 2);
  EXPECT_EQ(AlgorithmName(config), "") << "no algorithm is chosen for the user";
}

TEST(ConfigTest, ResolvingAnOffPolicyConfigSaysEverythingOfItsReplay) {
  const ExperimentConfig config =
      ResolveConfig(Parsed("name: 'a' environment { id: 'x' } dqn {} stop { env_steps: 9 } "
                           "actors { count: 3 environments_per_actor: 5 segment_length: 7 "
                           "mode: ASYNCHRONOUS }"));
  EXPECT_FALSE(config.has_queue());
  EXPECT_TRUE(config.replay().has_capacity_steps());
  EXPECT_EQ(config.replay().slack_steps(), 2 * 3 * 5 * 7);
  EXPECT_TRUE(config.dqn().has_double_q());
  EXPECT_TRUE(config.dqn().epsilon_greedy().has_final());
  EXPECT_TRUE(Same(ResolveConfig(config), config));
  EXPECT_TRUE(Same(Parsed(ConfigText(config)), config));
}

TEST(ConfigTest, ResolvingSwitchesNothingOn) {
  const ExperimentConfig off = ResolveConfig(Parsed("dqn {}"));
  EXPECT_FALSE(off.replay().has_prioritized());
  EXPECT_FALSE(off.dqn().has_distributional());
  const ExperimentConfig on =
      ResolveConfig(Parsed("dqn { distributional {} boltzmann {} } replay { prioritized {} }"));
  EXPECT_TRUE(on.replay().prioritized().has_alpha());
  EXPECT_TRUE(on.dqn().distributional().has_atoms());
  EXPECT_FALSE(on.dqn().has_epsilon_greedy());
  EXPECT_TRUE(on.dqn().boltzmann().has_final_temperature());
}

TEST(ConfigTest, ResolvingGivesDeterministicPoliciesTheirNoise) {
  EXPECT_TRUE(ResolveConfig(Parsed("ddpg {}")).ddpg().noise().gaussian().has_deviation());
  EXPECT_TRUE(ResolveConfig(Parsed("td3 {}")).td3().noise().gaussian().has_deviation());
  const ExperimentConfig chosen =
      ResolveConfig(Parsed("td3 { noise { ornstein_uhlenbeck { rate: 0.5 } } }"));
  EXPECT_EQ(chosen.td3().noise().ornstein_uhlenbeck().rate(), 0.5);
  EXPECT_TRUE(chosen.td3().noise().ornstein_uhlenbeck().has_deviation());
}

TEST(ConfigTest, TheSlackIsTwoRolloutsOfEveryActorOrFourUpdates) {
  const auto slack = [](const std::string& replay) {
    return ResolveConfig(Parsed("sac {} actors { count: 2 environments_per_actor: 3 "
                                "segment_length: 4 mode: ASYNCHRONOUS } replay { " +
                                replay + " }"))
        .replay()
        .slack_steps();
  };
  EXPECT_EQ(slack(""), 2 * 2 * 3 * 4);
  EXPECT_EQ(slack("n_step: 3"), 2 * 2 * 3 * (4 + 2)) << "the items that a rollout may complete";
  EXPECT_EQ(slack("updates_per_step: 0.01"), 400);
  EXPECT_EQ(slack("slack_steps: 60"), 60);
  EXPECT_FALSE(ResolveConfig(Parsed("sac {}")).replay().has_slack_steps()) << "in lockstep";
}

TEST(ConfigTest, AResolvedConfigIsStillValid) {
  const EnvironmentCatalog catalog{{{"CartPole-v1", true}}};
  const ExperimentConfig config = Parsed(kText);
  ASSERT_EQ(ValidateConfig(config, catalog), absl::OkStatus());
  EXPECT_EQ(ValidateConfig(ResolveConfig(config), catalog), absl::OkStatus());
  for (const char* mode : {"LOCKSTEP", "ASYNCHRONOUS"}) {
    const ExperimentConfig dqn = Parsed(
        "name: 'a' environment { id: 'CartPole-v1' } dqn {} stop { env_steps: 90000 } "
        "replay { n_step: 5 updates_per_step: 0.01 } actors { mode: " +
        std::string(mode) + " }");
    EXPECT_EQ(ValidateConfig(dqn, catalog), absl::OkStatus());
    EXPECT_EQ(ValidateConfig(ResolveConfig(dqn), catalog), absl::OkStatus());
  }
}

}  // namespace
}  // namespace cadre
