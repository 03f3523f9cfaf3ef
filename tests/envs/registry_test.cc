#include "envs/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envs/mujoco/mujoco.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAreArray;

TEST(RegistryTest, ListsEveryEnvironmentSortedById) {
  std::vector<std::string> ids;
  for (const EnvironmentSpec& spec : RegisteredEnvironments()) ids.push_back(spec.id);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  std::vector<std::string> wanted = {"Acrobot-v1",
                                     "BipedalWalker-v3",
                                     "BipedalWalkerHardcore-v3",
                                     "CartPole-v1",
                                     "CartPolePO-v1",
                                     "DictionaryMatch-v0",
                                     "LunarLander-v3",
                                     "LunarLanderContinuous-v3",
                                     "MaskedCorridor-v0",
                                     "MountainCar-v0",
                                     "MountainCarContinuous-v0",
                                     "MultiBinaryMatch-v0",
                                     "MultiDiscreteMatch-v0",
                                     "Pendulum-v1"};
  for (const char* const game : {"Asterix", "Breakout", "Freeway", "Seaquest", "SpaceInvaders"})
    for (const char* const version : {"-v0", "-v1"})
      wanted.push_back(absl::StrCat("MinAtar/", game, version));
  for (const char* const body :
       {"Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup", "InvertedDoublePendulum",
        "InvertedPendulum", "Pusher", "Reacher", "Swimmer", "Walker2d"})
    for (const char* const version : {"-v4", "-v5"}) wanted.push_back(absl::StrCat(body, version));
  EXPECT_THAT(ids, UnorderedElementsAreArray(wanted));
}

TEST(RegistryTest, MakesWhatItLists) {
  for (const EnvironmentSpec& spec : RegisteredEnvironments()) {
    EXPECT_EQ(FindEnvironment(spec.id)->id, spec.id);
    // tests/envs/mujoco_test.cc has what is said then.
    if (FindGymnasiumTask(spec.id) != nullptr && !MujocoBuiltIn()) continue;
    EXPECT_EQ((*MakeEnvironment(spec.id))->spec().id, spec.id);
    const auto vector = MakeVectorEnvironment(spec.id, 3);
    ASSERT_TRUE(vector.ok()) << vector.status();
    EXPECT_EQ((*vector)->count(), 3);
    EXPECT_EQ((*vector)->spec().id, spec.id);
    EXPECT_EQ((*vector)->spec().max_episode_steps, spec.max_episode_steps);
  }
}

TEST(RegistryTest, SpecsHaveTheLimitsAndThresholdsOfGymnasium) {
  const auto spec = [](absl::string_view id) { return *FindEnvironment(id); };
  EXPECT_EQ(spec("CartPole-v1").max_episode_steps, 500);
  EXPECT_EQ(spec("CartPole-v1").reward_threshold, 475);
  EXPECT_EQ(spec("Acrobot-v1").max_episode_steps, 500);
  EXPECT_EQ(spec("Acrobot-v1").reward_threshold, -100);
  EXPECT_EQ(spec("MountainCar-v0").max_episode_steps, 200);
  EXPECT_EQ(spec("MountainCar-v0").reward_threshold, -110);
  EXPECT_EQ(spec("MountainCarContinuous-v0").max_episode_steps, 999);
  EXPECT_EQ(spec("MountainCarContinuous-v0").reward_threshold, 90);
  EXPECT_EQ(spec("Pendulum-v1").max_episode_steps, 200);
  EXPECT_TRUE(std::isnan(spec("Pendulum-v1").reward_threshold));
}

TEST(RegistryTest, AnUnknownIdIsAnswered) {
  const absl::Status status = MakeEnvironment("Chess-v0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "unknown environment 'Chess-v0'; wanted one that `cadre envs` lists");
  EXPECT_EQ(MakeVectorEnvironment("Chess-v0", 1).status(), status);
}

TEST(RegistryTest, AMisspeltIdIsAnsweredWithTheNearestOne) {
  const auto message = [](absl::string_view id) {
    return std::string(MakeEnvironment(id).status().message());
  };
  EXPECT_THAT(message("CartPol-v1"), HasSubstr("; did you mean 'CartPole-v1'?"));
  EXPECT_THAT(message("cartpole"), HasSubstr("; did you mean 'CartPole-v1'?"));
  EXPECT_THAT(message("Pendulum-v0"), HasSubstr("; did you mean 'Pendulum-v1'?"));
  EXPECT_THAT(message("MountainCarContinous-v0"),
              HasSubstr("; did you mean 'MountainCarContinuous-v0'?"));
  EXPECT_THAT(message(""), Not(HasSubstr("did you mean")));
}

TEST(RegistryTest, NumbersOutOfRangeAreRefused) {
  const absl::Status count = MakeVectorEnvironment("CartPole-v1", 0).status();
  EXPECT_EQ(count.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(count.message(), "environment count is 0; wanted at least 1");
  const absl::Status limit = MakeVectorEnvironment("CartPole-v1", 1, -5).status();
  EXPECT_EQ(limit.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(limit.message(), "max_episode_steps is -5; wanted at least 0");
}

TEST(RegistryTest, AnOtherTimeLimitReplacesTheSpecs) {
  const auto vector = MakeVectorEnvironment("Pendulum-v1", 1, 7);
  ASSERT_TRUE(vector.ok());
  EXPECT_EQ((*vector)->spec().max_episode_steps, 7);
}

}  // namespace
}  // namespace cadre
