// MuJoCo's environments in a build that has it, and what one that has not says. Numbers against
// Gymnasium are in mujoco_parity.py.
#include "envs/mujoco/mujoco.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/check.h"
#include "envs/registry.h"
#include "envs/sources.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A mass on a rail, pushed by a motor of at most 2 N, without friction or gravity.
constexpr char kCart[] = R"(
<mujoco>
  <option timestep="0.01" gravity="0 0 0"/>
  <worldbody>
    <body name="cart">
      <joint name="slide" type="slide" axis="1 0 0"/>
      <geom type="sphere" size="0.1" mass="2"/>
    </body>
  </worldbody>
  <actuator><motor joint="slide" ctrllimited="true" ctrlrange="-2 2"/></actuator>
  <sensor><jointpos name="where" joint="slide"/></sensor>
</mujoco>)";

std::string WriteModel(const std::string& name, const std::string& text) {
  const std::string path = (std::filesystem::path(testing::TempDir()) / name).string();
  std::ofstream(path) << text;
  return path;
}

EnvironmentConfig CartConfig(const std::string& rest) {
  EnvironmentConfig config;
  CADRE_CHECK(google::protobuf::TextFormat::ParseFromString("mujoco { " + rest + " }", &config));
  if (!config.mujoco().has_model())
    config.mutable_mujoco()->set_model(WriteModel("cart.xml", kCart));
  return config;
}

absl::Span<const std::byte> Bytes(const std::vector<float>& numbers) {
  return {reinterpret_cast<const std::byte*>(numbers.data()), numbers.size() * sizeof(float)};
}

std::vector<float> Floats(absl::Span<const std::byte> bytes) {
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

TEST(MujocoTest, WithoutItTasksAreListedAndOneLineSaysWhatInstallsIt) {
  if (MujocoBuiltIn()) GTEST_SKIP() << "built with MuJoCo";
  EXPECT_EQ(FindEnvironment("Ant-v5")->observation.elements(), 105);
  const absl::Status status = MakeEnvironment("Ant-v5").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(),
            "environment 'Ant-v5' needs MuJoCo, which this build does not have; install it with "
            "'scripts/install-deps.sh --mujoco', then build again");
  EXPECT_EQ(MakeVectorEnvironment("Ant-v5", 2).status(), status);
  EXPECT_THAT(std::string(FindEnvironment(CartConfig("model: 'my.xml'")).status().message()),
              StartsWith("environment.mujoco 'my.xml' needs MuJoCo"));
}

class BuiltInMujocoTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!MujocoBuiltIn()) GTEST_SKIP() << "built without MuJoCo";
  }
};

// A batch shares one simulation; nothing of one environment may show in another.
TEST_F(BuiltInMujocoTest, ABatchEqualsSingleEnvironments) {
  for (const char* id : {"Ant-v5", "Reacher-v4", "Humanoid-v5"}) {
    constexpr int64_t kCount = 3;
    const auto batch = *MakeVectorEnvironment(id, kCount, 6);
    ASSERT_TRUE(batch->Reset(5).ok());
    const int64_t actions = batch->spec().action.dimensions;
    std::vector<float> all(kCount * actions);
    for (int64_t i = 0; i < kCount; ++i) {
      const auto single = *MakeVectorEnvironment(id, kCount, 6);
      ASSERT_TRUE(single->Reset(5).ok());
      ASSERT_TRUE(batch->Reset(5).ok());
      std::vector<uint8_t> only(kCount, 0);
      only[i] = 1;
      for (int step = 0; step < 20; ++step) {
        for (size_t k = 0; k < all.size(); ++k)
          all[k] = 0.4f * std::sin(static_cast<float>(7 * k + 3 * step));
        ASSERT_TRUE(batch->Step(Bytes(all)).ok());
        ASSERT_TRUE(single->StepSome(Bytes(all), only).ok());
        const size_t row = batch->observations()[0].size() / kCount;
        ASSERT_EQ(batch->observations()[0].subspan(i * row, row),
                  single->observations()[0].subspan(i * row, row))
            << id << " step " << step;
        ASSERT_EQ(batch->rewards()[i], single->rewards()[i]) << id << " step " << step;
      }
    }
  }
}

TEST_F(BuiltInMujocoTest, AStateOfTheWrongSizeIsRefused) {
  const auto batch = *MakeVectorEnvironment("HalfCheetah-v5", 1);
  ASSERT_TRUE(batch->Reset(1).ok());
  EXPECT_EQ(batch->SetState(0, {1, 2}).message(),
            "environment 'HalfCheetah-v5': the state has 2 numbers; wanted 18");
  std::vector<double> state(18);
  for (size_t i = 0; i < state.size(); ++i) state[i] = 0.01 * static_cast<double>(i);
  ASSERT_TRUE(batch->SetState(0, state).ok());
  const std::vector<float> shown = Floats(batch->observations()[0]);
  for (size_t i = 0; i < shown.size(); ++i) EXPECT_EQ(shown[i], static_cast<float>(state[i + 1]));
}

TEST_F(BuiltInMujocoTest, VersionFourPaysForHealthOnTheLastStepAndFiveDoesNot) {
  for (const bool version_five : {false, true}) {
    const auto made = *MakeEnvironment(version_five ? "Hopper-v5" : "Hopper-v4");
    std::vector<std::byte> observation(made->spec().observation.bytes());
    Random random(1);
    made->Reset(random, {absl::MakeSpan(observation)});
    const std::vector<double> fallen = {0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    ASSERT_TRUE(made->SetState(fallen, {absl::MakeSpan(observation)}).ok());
    const StepResult result = made->Step(Bytes({0, 0, 0}), random, {absl::MakeSpan(observation)});
    EXPECT_TRUE(result.terminated);
    EXPECT_NEAR(result.reward, version_five ? 0 : 1, 0.1);
  }
}

// With semi-implicit Euler, k steps of force f from rest: v = k f dt / m,
// x = k (k + 1) / 2 f dt^2 / m.
TEST_F(BuiltInMujocoTest, AModelOfOnesOwnMovesAsNewtonSays) {
  const EnvironmentConfig config = CartConfig(R"(
    frame_skip: 4
    observation { of { kind: SENSOR name: "where" } }
    observation { of { kind: VELOCITIES } clip: 0.03 }
    reward { of { kind: POSITIONS } shape: RATE weight: 10 }
    reward { of { kind: ACTION } shape: SUM_OF_SQUARES weight: -1 bound: 3 }
    healthy { of { kind: BODY_POSITION name: "cart" count: 1 } max: 0.004 }
    healthy_reward: 100)");
  const auto spec = *FindEnvironment(config);
  EXPECT_EQ(spec.observation.elements(), 2);
  EXPECT_EQ(spec.observation.columns[0].high[1], 0.03f);
  EXPECT_EQ(spec.action.low, std::vector<float>{-2});
  const auto batch = *MakeVectorEnvironment(config, 1);
  ASSERT_TRUE(batch->Reset(1).ok());

  ASSERT_TRUE(batch->Step(Bytes({5})).ok());  // Clipped to 2 N: 1 m/s^2.
  const double x = 10 * 1e-4;
  // Sensors and bodies are of the state before the last simulation step, as in Gymnasium.
  EXPECT_NEAR(Floats(batch->observations()[0])[0], 6 * 1e-4, 1e-9);
  EXPECT_EQ(Floats(batch->observations()[0])[1], 0.03f);  // 0.04 m/s, clipped.
  EXPECT_NEAR(batch->rewards()[0], 10 * x / 0.04 - 3 + 100, 1e-4);
  EXPECT_FALSE(batch->terminated()[0]);

  // After 8 simulation steps the cart is at 36e-4, and was at 28e-4 before the last.
  ASSERT_TRUE(batch->Step(Bytes({2})).ok());
  EXPECT_FALSE(batch->terminated()[0]);
  ASSERT_TRUE(batch->Step(Bytes({2})).ok());
  EXPECT_TRUE(batch->terminated()[0]);
  EXPECT_LT(batch->rewards()[0], 50);  // Not healthy.
}

TEST_F(BuiltInMujocoTest, WhatAModelDoesNotHaveIsRefusedInOneLine) {
  const auto message = [](const std::string& rest) {
    const absl::Status status = FindEnvironment(CartConfig(rest)).status();
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(std::string(status.message()).find('\n'), std::string::npos) << status;
    return std::string(status.message());
  };
  const std::string reward = "reward { of { kind: POSITIONS } } ";
  EXPECT_EQ(message(reward + "observation { of { kind: SENSOR name: 'speed' } }"),
            "environment.mujoco.observation[0].of: the model has no sensor 'speed'; it has where");
  EXPECT_EQ(message(reward + "healthy { of { kind: BODY_POSITION name: 'head' } }"),
            "environment.mujoco.healthy[0].of: the model has no body 'head'; it has world, cart");
  EXPECT_EQ(message(reward + "reward { of { kind: VELOCITIES first: 1 } }"),
            "environment.mujoco.reward[1].of: VELOCITIES has 1 numbers; got first 1, count 0");
  EXPECT_EQ(message("reward { of { kind: SENSOR } }"),
            "environment.mujoco.reward[0].of: SENSOR without a name; wanted that of a sensor or "
            "body");
  EXPECT_EQ(message("reward { of { name: 'cart' } }"),
            "environment.mujoco.reward[0].of: POSITIONS takes no name");
  EXPECT_EQ(message(""), "environment.mujoco.reward: no terms; wanted at least one");
  EXPECT_EQ(message(reward + "healthy { min: 2 max: 1 }"),
            "environment.mujoco.healthy[0]: min 2 is above max 1");
  EXPECT_EQ(message("model: '/nowhere/my.xml'"), "model '/nowhere/my.xml': no such file");
  const std::string broken =
      WriteModel("broken.xml", "<mujoco><worldbody><boy/></worldbody></mujoco>");
  EXPECT_THAT(message("model: '" + broken + "'"), HasSubstr("unrecognized element"));
}

TEST_F(BuiltInMujocoTest, StartsAreMovedByTheNoise) {
  const auto batch = *MakeVectorEnvironment(
      CartConfig("position_noise: 0.5 velocity_noise: 2 reward { of { } }"), 500);
  ASSERT_TRUE(batch->Reset(1).ok());
  const std::vector<float> shown = Floats(batch->observations()[0]);
  double position = 0, velocity = 0;
  for (size_t i = 0; i < shown.size(); i += 2) {
    EXPECT_LE(std::abs(shown[i]), 0.5);
    position += shown[i] * shown[i] / 500;
    velocity += shown[i + 1] * shown[i + 1] / 500;
  }
  EXPECT_NEAR(std::sqrt(position), 0.5 / std::sqrt(3.0), 0.03);
  EXPECT_NEAR(std::sqrt(velocity), 2, 0.2);
}

}  // namespace
}  // namespace cadre
