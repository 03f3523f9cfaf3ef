#include "common/config/config_overrides.h"

#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "gtest/gtest.h"
#include "proto/config.pb.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ExperimentConfig Base() {
  ExperimentConfig config;
  config.set_name("base");
  config.mutable_environment()->set_id("CartPole-v1");
  config.mutable_ppo()->set_gamma(0.9);
  return config;
}

ExperimentConfig With(absl::string_view assignment) {
  ExperimentConfig config = Base();
  EXPECT_EQ(ApplyOverride(assignment, &config), absl::OkStatus());
  return config;
}

std::string ErrorOf(absl::string_view assignment) {
  ExperimentConfig config = Base();
  const absl::Status status = ApplyOverride(assignment, &config);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(config.SerializeAsString(), Base().SerializeAsString()) << "changed by an error";
  return std::string(status.message());
}

TEST(ConfigOverridesTest, SetsScalarsOfEveryKind) {
  EXPECT_EQ(With("ppo.clip_range=0.1").ppo().clip_range(), 0.1);
  EXPECT_EQ(With("ppo.clip_range=0.1").ppo().gamma(), 0.9) << "its neighbours stay";
  EXPECT_EQ(With("seed=18446744073709551615").seed(), 18446744073709551615u);
  EXPECT_EQ(With("stop.env_steps=150000").stop().env_steps(), 150000);
  EXPECT_EQ(With("stop.mean_return=-110").stop().mean_return(), -110);
  EXPECT_EQ(With("actors.mode=ASYNCHRONOUS").actors().mode(), ActorsConfig::ASYNCHRONOUS);
  EXPECT_FALSE(With("ppo.normalize_advantages=false").ppo().normalize_advantages());
  EXPECT_EQ(With(" ppo.epochs = 4 ").ppo().epochs(), 4);
}

TEST(ConfigOverridesTest, StringsNeedNoQuotes) {
  EXPECT_EQ(With("environment.id=Acrobot-v1").environment().id(), "Acrobot-v1");
  EXPECT_EQ(With("environment.id=\"Acrobot-v1\"").environment().id(), "Acrobot-v1");
  EXPECT_EQ(With("environment.id='Acrobot-v1'").environment().id(), "Acrobot-v1");
  EXPECT_EQ(With("name=a=b").name(), "a=b");
}

TEST(ConfigOverridesTest, ReplacesListsAndMessages) {
  ExperimentConfig config = With("model.mlp.hidden=[64,32]");
  EXPECT_THAT(config.model().mlp().hidden(), ElementsAre(64, 32));
  ASSERT_TRUE(ApplyOverride("model.mlp.hidden=[8]", &config).ok());
  EXPECT_THAT(config.model().mlp().hidden(), ElementsAre(8));
  ASSERT_TRUE(ApplyOverride("model.mlp.hidden=16", &config).ok());
  EXPECT_THAT(config.model().mlp().hidden(), ElementsAre(16));
  ASSERT_TRUE(ApplyOverride("model.mlp.hidden=[]", &config).ok());
  EXPECT_THAT(config.model().mlp().hidden(), IsEmpty());

  config = With("ppo={epochs: 3}");
  EXPECT_EQ(config.ppo().epochs(), 3);
  EXPECT_FALSE(config.ppo().has_gamma());
}

// ExperimentConfig has one algorithm so far; google.protobuf.Value's oneof has several.
TEST(ConfigOverridesTest, APathIntoAnotherMemberOfAOneofReplacesTheFirst) {
  google::protobuf::Value value;
  ASSERT_TRUE(ApplyOverride("struct_value={}", &value).ok());
  ASSERT_TRUE(value.has_struct_value());
  ASSERT_TRUE(ApplyOverride("list_value.values={number_value: 2}", &value).ok());
  EXPECT_FALSE(value.has_struct_value());
  ASSERT_EQ(value.list_value().values_size(), 1);
  EXPECT_EQ(value.list_value().values(0).number_value(), 2);
  ASSERT_TRUE(ApplyOverride("string_value=x", &value).ok());
  EXPECT_EQ(value.string_value(), "x");
}

TEST(ConfigOverridesTest, SaysPathGotAndWanted) {
  EXPECT_EQ(ErrorOf("ppo.clip_rang=0.1").substr(0, 81),
            "--set ppo.clip_rang=0.1: unknown field 'ppo.clip_rang'; did you mean 'clip_range'");
  EXPECT_EQ(ErrorOf("ppo.epochs=many"),
            "--set ppo.epochs=many: ppo.epochs: got 'many'; wanted an integer from 1 to 1000");
  EXPECT_EQ(ErrorOf("ppo.epochs="), "--set ppo.epochs=: got the end; wanted a value");
  EXPECT_EQ(ErrorOf("actors.mode=lockstep"),
            "--set actors.mode=lockstep: actors.mode: got 'lockstep'; "
            "wanted one of LOCKSTEP, ASYNCHRONOUS");
  EXPECT_EQ(ErrorOf("ppo.gamma.x=1"),
            "--set ppo.gamma.x=1: 'ppo.gamma' has no fields; it is a number from 0 to 1");
  EXPECT_EQ(ErrorOf("ppo=3"), "--set ppo=3: got '3'; wanted '{'");
  EXPECT_EQ(ErrorOf("ppo.gamma"), "--set ppo.gamma: wanted path=value");
  EXPECT_EQ(ErrorOf("=3"), "--set =3: wanted path=value");
}

TEST(ConfigOverridesTest, AValueCannotSmuggleInAnotherField) {
  EXPECT_EQ(ErrorOf("ppo.epochs=1 gamma: 0.5"),
            "--set ppo.epochs=1 gamma: 0.5: got 'gamma'; wanted the end");
  EXPECT_EQ(ErrorOf("ppo={epochs: 1} seed: 5"),
            "--set ppo={epochs: 1} seed: 5: got 'seed'; wanted the end");
}

}  // namespace
}  // namespace cadre
