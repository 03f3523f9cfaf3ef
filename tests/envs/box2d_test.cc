// LunarLander and BipedalWalker against physics and the rules of their rewards.
// Against Gymnasium: box2d_parity.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "envs/box2d/bipedal_terrain.h"
#include "envs/box2d/bipedal_walker.h"
#include "envs/box2d/lunar_lander.h"

namespace cadre {
namespace {

// An environment with its random numbers and its last observation.
template <typename E>
struct Player {
  explicit Player(uint64_t seed, E made = E()) : environment(std::move(made)), random(seed) {
    environment.Reset(random, {Column()});
  }

  template <typename Action>
  StepResult Step(const Action& action) {
    return environment.Step(
        absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&action), sizeof(action)), random,
        {Column()});
  }

  absl::Span<std::byte>& Column() {
    column = absl::MakeSpan(reinterpret_cast<std::byte*>(observation.data()),
                            observation.size() * sizeof(float));
    return column;
  }

  E environment;
  Random random;
  std::vector<float> observation = std::vector<float>(E::Spec().observation.elements());
  absl::Span<std::byte> column;
};

// Velocities are shown in half screens per step at 50 Hz; half a screen is 20/3 m high.
constexpr double kVerticalSpeed = 20.0 / 3 / 50;

double FallOf(LunarLander lander, int steps) {
  Player<LunarLander> player(3, std::move(lander));
  const double before = player.observation[3];
  for (int i = 0; i < steps; ++i) player.Step(int32_t{0});
  return (player.observation[3] - before) / kVerticalSpeed;
}

TEST(LunarLanderTest, FallsFreely) {
  // 10 m/s^2 for half a second; the swing of the legs moves the hull a little.
  EXPECT_NEAR(FallOf(LunarLander(), 25), -5, 0.1);
  EXPECT_NEAR(FallOf(LunarLander({.gravity = -4}), 25), -2, 0.1);
}

TEST(LunarLanderTest, WindBlowsOnlyIfEnabled) {
  Player<LunarLander> calm(5, LunarLander({.wind_power = 20}));
  Player<LunarLander> plain(5), windy(5, LunarLander({.enable_wind = true}));
  for (int i = 0; i < 20; ++i) {
    calm.Step(int32_t{0});
    plain.Step(int32_t{0});
    windy.Step(int32_t{0});
  }
  EXPECT_EQ(calm.observation, plain.observation);
  EXPECT_GT(std::abs(windy.observation[4] - plain.observation[4]), 1e-3);
}

double Shaping(const std::vector<float>& state) {
  return -100 * std::hypot(state[0], state[1]) - 100 * std::hypot(state[2], state[3]) -
         100 * std::abs(state[4]) + 10 * state[6] + 10 * state[7];
}

// What a step costs besides the change of shaping.
template <typename E, typename Action>
double FuelOf(const Action& action) {
  Player<E> player(7);
  const double before = Shaping(player.observation);
  const StepResult result = player.Step(action);
  return Shaping(player.observation) - before - result.reward;
}

TEST(LunarLanderTest, EnginesCostFuel) {
  EXPECT_NEAR(FuelOf<LunarLander>(int32_t{0}), 0, 1e-3);
  EXPECT_NEAR(FuelOf<LunarLander>(int32_t{1}), 0.03, 1e-3);
  EXPECT_NEAR(FuelOf<LunarLander>(int32_t{2}), 0.3, 1e-3);
  EXPECT_NEAR(FuelOf<LunarLander>(int32_t{3}), 0.03, 1e-3);
  using Throttles = std::array<float, 2>;
  EXPECT_NEAR(FuelOf<LunarLanderContinuous>(Throttles{-1, 0.5}), 0, 1e-3);
  EXPECT_NEAR(FuelOf<LunarLanderContinuous>(Throttles{0.5, 0}), 0.3 * 0.75, 1e-3);
  EXPECT_NEAR(FuelOf<LunarLanderContinuous>(Throttles{0, -0.8}), 0.03 * 0.8, 1e-3);
}

TEST(LunarLanderTest, EnginesPushWhereTheyPoint) {
  Player<LunarLander> none(9), left(9), main(9), right(9);
  for (int i = 0; i < 10; ++i) {
    none.Step(int32_t{0});
    left.Step(int32_t{1});
    main.Step(int32_t{2});
    right.Step(int32_t{3});
  }
  EXPECT_GT(main.observation[3], none.observation[3] + 0.05);
  EXPECT_GT(left.observation[5], none.observation[5] + 0.1);  // Turns to the left.
  EXPECT_LT(right.observation[5], none.observation[5] - 0.1);
}

TEST(LunarLanderTest, CrashesIfNothingIsDone) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Player<LunarLander> player(seed);
    StepResult result;
    for (int i = 0; i < 300 && !result.terminated; ++i) result = player.Step(int32_t{0});
    EXPECT_TRUE(result.terminated);
    EXPECT_EQ(result.reward, -100);
  }
}

// Tilts against the drift, and burns if it sinks faster than it may at its height.
int32_t LandingAction(const std::vector<float>& state) {
  const bool touched = state[6] > 0 || state[7] > 0;
  const double tilt = std::clamp(0.5 * state[0] + 1.0 * state[2], -0.4, 0.4);
  const double turn = touched ? 0 : 0.5 * (tilt - state[4]) - state[5];
  const double lift =
      touched ? -0.5 * state[3] : 0.5 * (0.55 * std::abs(state[0]) - state[1]) - 0.5 * state[3];
  if (lift > std::abs(turn) && lift > 0.05) return 2;
  return turn < -0.05 ? 3 : turn > 0.05 ? 1 : 0;
}

TEST(LunarLanderTest, LandsOnThePadByASimpleController) {
  int landed = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Player<LunarLander> player(seed);
    StepResult result;
    double total = 0;
    for (int i = 0; i < 1000 && !result.terminated; ++i) {
      result = player.Step(LandingAction(player.observation));
      total += result.reward;
    }
    if (result.reward != 100) continue;
    ++landed;
    EXPECT_GT(total, 150);
    EXPECT_NEAR(player.observation[3], 0, 1e-2);  // At rest.
  }
  EXPECT_GE(landed, 8);
}

constexpr std::array<float, 4> kNoTorque = {};

TEST(BipedalWalkerTest, RaysSeeLevelGround) {
  Player<BipedalWalker> player(1);
  const double height = player.observation[14];  // Of the ray that points straight down.
  EXPECT_GT(height, 0.3);
  for (int i = 1; i < 7; ++i)
    EXPECT_NEAR(player.observation[14 + i] * std::cos(0.15 * i), height, 1e-5) << i;
}

TEST(BipedalWalkerTest, JointsStartAtZero) {
  Player<BipedalWalker> player(1);
  // The step of Reset has bent the knees to their limit, -0.1, less the solver's slop.
  EXPECT_NEAR(player.observation[6], 0.9, 0.05);
  EXPECT_NEAR(player.observation[11], 0.9, 0.05);
}

TEST(BipedalWalkerTest, FallsWithoutTorque) {
  for (uint64_t seed = 0; seed < 3; ++seed) {
    Player<BipedalWalker> player(seed);
    StepResult result;
    for (int i = 0; i < 500 && !result.terminated; ++i) result = player.Step(kNoTorque);
    EXPECT_TRUE(result.terminated);
    EXPECT_EQ(result.reward, -100);
  }
}

TEST(BipedalWalkerTest, PaysForGroundCoveredAndChargesForTorque) {
  Player<BipedalWalker> player(2);
  for (int i = 0; i < 5; ++i) {
    const std::array<float, 4> action = {0.5f, -1, 0.25f, i % 2 ? 1.0f : -1.0f};
    const double angle = std::abs(player.observation[0]);
    const StepResult result = player.Step(action);
    ASSERT_FALSE(result.terminated);
    const double metres = player.observation[2] / 0.3 / 20;  // 20 m wide, 50 Hz.
    const double wanted =
        130 * metres / 30 - 5 * (std::abs(player.observation[0]) - angle) - 0.00035 * 80 * 2.75;
    EXPECT_NEAR(result.reward, wanted, 0.1) << i;  // Corrections of the position move it too.
  }
}

TEST(BipedalTerrainTest, GrassIsGentleAndStartsLevel) {
  Random random(1);
  for (int i = 0; i < 100; ++i) {
    const BipedalTerrain terrain = BipedalTerrain::Draw(false, random);
    EXPECT_TRUE(terrain.blocks.empty());
    for (int k = 1; k < BipedalTerrain::kPoints; ++k) {
      if (k <= BipedalTerrain::kStartPad) EXPECT_EQ(terrain.y[k], BipedalTerrain::kHeight);
      // At most 1/30 more slope a point, of which a fifth is lost at the next.
      EXPECT_LT(std::abs(terrain.y[k] - terrain.y[k - 1]), (1 / 30.0 + 0.01) * 5);
    }
  }
}

TEST(BipedalTerrainTest, HardcoreHasPitsStumpsAndStairs) {
  Random random(2);
  bool pit = false, stump = false, stairs = false;
  for (int i = 0; i < 20; ++i) {
    for (const BipedalTerrain::Corners& block : BipedalTerrain::Draw(true, random).blocks) {
      const double width = (block[1][0] - block[0][0]) / BipedalTerrain::kStep;
      const double height = (block[2][1] - block[1][1]) / BipedalTerrain::kStep;
      pit |= std::abs(height + 4) < 1e-6;
      stump |= std::abs(width - height) < 1e-6 && width < 2.5;
      stairs |= std::abs(width - 4) < 1e-6 && std::abs(height + 1) < 1e-6;
    }
  }
  EXPECT_TRUE(pit && stump && stairs);
}

}  // namespace
}  // namespace cadre
