#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "envs/conformance.h"
#include "envs/sources.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

EnvironmentConfig Plugin(const std::string& library) {
  EnvironmentConfig config;
  config.mutable_plugin()->set_path(absl::StrCat(CADRE_TEST_PLUGINS, "/lib", library, ".so"));
  return config;
}

std::vector<float> AsFloats(absl::Span<const std::byte> bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

absl::Status StepWith(VectorEnvironment& environment, const std::vector<int32_t>& actions) {
  return environment.Step(
      {reinterpret_cast<const std::byte*>(actions.data()), actions.size() * sizeof(int32_t)});
}

// What the first Reset and Step say.
absl::Status FirstSteps(const EnvironmentConfig& config) {
  auto environment = MakeVectorEnvironment(config, 2);
  if (!environment.ok()) return environment.status();
  if (const absl::Status status = (*environment)->Reset(1); !status.ok()) return status;
  return StepWith(**environment, {0, 1});
}

TEST(PluginTest, TheExamplesKeepTheRules) {
  for (const char* const name : {"corridor", "drone"}) {
    const EnvironmentConfig config = Plugin(name);
    const Conformance result =
        CheckEnvironment([&](int64_t count) { return MakeVectorEnvironment(config, count); }, 500);
    EXPECT_THAT(result.faults, IsEmpty()) << name;
    EXPECT_GT(result.episodes, 0) << name;
  }
}

TEST(PluginTest, EpisodesEndRestartAndKeepTheirLastObservation) {
  const EnvironmentConfig config = Plugin("plugin_right");
  const auto spec = FindEnvironment(config);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->id, "Faulty-v0");
  auto environment = *MakeVectorEnvironment(config, 2);
  EXPECT_EQ(StepWith(*environment, {0, 0}).code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(environment->Reset(1).ok());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(StepWith(*environment, {0, 1}).ok());
  EXPECT_THAT(environment->truncated(), ElementsAre(1, 1));
  EXPECT_THAT(AsFloats(environment->final_observations()[0]), ElementsAre(4, 0, 4, 0));
  EXPECT_THAT(AsFloats(environment->observations()[0]), ElementsAre(0, 0, 0, 0));
  const std::vector<int32_t> actions = {0, 0};
  ASSERT_TRUE(environment
                  ->StepSome({reinterpret_cast<const std::byte*>(actions.data()), 8},
                             std::vector<uint8_t>{0, 1})
                  .ok());
  EXPECT_THAT(AsFloats(environment->observations()[0]), ElementsAre(0, 0, 1, 0));
  EXPECT_THAT(environment->rewards(), ElementsAre(0, 1));
  EXPECT_THAT(environment->truncated(), ElementsAre(0, 0));
}

TEST(PluginTest, OptionsAndStates) {
  EnvironmentConfig config = Plugin("drone");
  (*config.mutable_plugin()->mutable_options())["wind"] = "0.5";
  auto environment = *MakeVectorEnvironment(config, 2);
  ASSERT_TRUE(environment->Reset(1).ok());
  ASSERT_TRUE(environment->SetState(1, {1.5, -0.5}).ok());
  EXPECT_THAT(AsFloats(environment->observations()[0].subspan(8)), ElementsAre(1.5, -0.5));
  EXPECT_THAT(environment->SetState(0, {1.0}).message(), HasSubstr("a state has 1 numbers"));
  (*config.mutable_plugin()->mutable_options())["rain"] = "1";
  EXPECT_THAT(std::string(MakeVectorEnvironment(config, 1).status().message()),
              EndsWith("was not created: unknown option 'rain'; wanted wind"));
}

TEST(PluginTest, WhatIsWrongIsSaidInOneLine) {
  const auto error = [](const std::string& library) {
    const std::string message(FirstSteps(Plugin(library)).message());
    EXPECT_THAT(message, testing::Not(HasSubstr("\n")));
    return message;
  };
  EXPECT_THAT(error("nowhere"), HasSubstr("there is no library '"));
  EXPECT_THAT(error("not_a_plugin"), HasSubstr("has no symbol 'cadre_env_api'"));
  EXPECT_THAT(error("plugin_wrong_abi"),
              EndsWith("has version 99 of the plugin interface; wanted 1"));
  EXPECT_THAT(error("plugin_no_step"), HasSubstr("leaves out a function"));
  EXPECT_THAT(error("plugin_bad_dtype"),
              EndsWith("is wrong: column 'obs' has dtype 7; wanted 0 or 1"));
  EXPECT_EQ(error("plugin_fails"), "environment 'Faulty-v0': step returned 5: out of cheese");
  EXPECT_EQ(error("plugin_not_finite"),
            "environment 0 of 'Faulty-v0': element 1 of its observation 'obs' is nan; wanted a "
            "finite number");
  EXPECT_EQ(error("plugin_reward"),
            "environment 0 of 'Faulty-v0': its reward is inf; wanted a finite number");
  EXPECT_EQ(error("plugin_both_flags"),
            "environment 0 of 'Faulty-v0': terminated is 1 and truncated is 1; wanted 0 or 1, and "
            "at most one of them 1");
  EnvironmentConfig other = Plugin("plugin_right");
  other.mutable_plugin()->set_id("Chess-v0");
  EXPECT_THAT(std::string(FirstSteps(other).message()),
              EndsWith("has Faulty-v0; got 'Chess-v0' as id"));
}

TEST(PluginTest, AWrongActionStepsNothing) {
  auto environment = *MakeVectorEnvironment(Plugin("plugin_right"), 2);
  ASSERT_TRUE(environment->Reset(1).ok());
  EXPECT_THAT(std::string(StepWith(*environment, {0, 3}).message()),
              EndsWith("environment 1: action is 3; wanted 0 to 2"));
  EXPECT_THAT(AsFloats(environment->observations()[0]), ElementsAre(0, 0, 0, 0));
}

}  // namespace
}  // namespace cadre
