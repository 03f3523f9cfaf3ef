// The classic tasks against numbers worked out by hand and against physics.
// Against Gymnasium: gymnasium_parity.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "envs/classic/acrobot.h"
#include "envs/classic/cartpole.h"
#include "envs/classic/mountain_car.h"
#include "envs/classic/mountain_car_continuous.h"
#include "envs/classic/pendulum.h"

namespace cadre {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::Pointwise;

constexpr double kPi = std::numbers::pi;

struct Outcome {
  std::vector<double> state;
  std::vector<float> observation;
  double reward;
  bool terminated;
};

// One step from `state`; `Action` is int32_t or float.
template <typename E, typename Action>
Outcome StepFrom(std::vector<double> state, Action action) {
  E environment;
  environment.set_state(state);
  Random random(1);
  std::vector<float> observation(E::Spec().observation.elements());
  const StepResult result = environment.Step(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&action), sizeof(action)), random,
      {absl::MakeSpan(reinterpret_cast<std::byte*>(observation.data()), 4 * observation.size())});
  return {{environment.state().begin(), environment.state().end()},
          observation,
          result.reward,
          result.terminated};
}

// The least and the greatest of each number of the state over many resets.
template <typename E>
std::vector<std::pair<double, double>> ResetRange() {
  E environment;
  Random random(1);
  std::vector<std::byte> observation(4 * E::Spec().observation.elements());
  std::vector<std::pair<double, double>> range(environment.state().size(), {1e9, -1e9});
  for (int i = 0; i < 10000; ++i) {
    environment.Reset(random, {absl::MakeSpan(observation)});
    for (size_t k = 0; k < range.size(); ++k) {
      range[k].first = std::min(range[k].first, environment.state()[k]);
      range[k].second = std::max(range[k].second, environment.state()[k]);
    }
  }
  return range;
}

// A range that fills [low, high] to within a hundredth and stays in it.
MATCHER_P2(Fills, low, high, "") {
  const double margin = 0.01 * (high - low);
  return arg.first >= low && arg.first <= low + margin && arg.second <= high &&
         arg.second >= high - margin;
}

TEST(CartPoleTest, APushFromRestAcceleratesCartAndPole) {
  // At rest, upright: a = F/M = 10/1.1; theta'' = -a / (l (4/3 - m/M)) = -600/41;
  // x'' = a - m l theta'' / M = 400/41; each times 0.02 s.
  const Outcome right = StepFrom<CartPole, int32_t>({0, 0, 0, 0}, 1);
  EXPECT_THAT(right.state,
              ElementsAre(0, DoubleNear(8.0 / 41, 1e-15), 0, DoubleNear(-12.0 / 41, 1e-15)));
  EXPECT_THAT(right.observation, ElementsAre(0, FloatEq(8.0 / 41), 0, FloatEq(-12.0 / 41)));
  EXPECT_EQ(right.reward, 1);
  EXPECT_FALSE(right.terminated);
  const Outcome left = StepFrom<CartPole, int32_t>({0, 0, 0, 0}, 0);
  EXPECT_THAT(left.state[1], DoubleNear(-8.0 / 41, 1e-15));
}

TEST(CartPoleTest, PositionsMoveWithTheVelocitiesFromBeforeTheStep) {
  const Outcome outcome = StepFrom<CartPole, int32_t>({1, 2, 0.1, -3}, 1);
  EXPECT_DOUBLE_EQ(outcome.state[0], 1.04);
  EXPECT_DOUBLE_EQ(outcome.state[2], 0.04);
}

TEST(CartPoleTest, EndsBeyondEitherLimitAndNotAtIt) {
  const double twelve_degrees = kPi / 15;
  const auto ends = [](double x, double theta) {
    const Outcome outcome = StepFrom<CartPole, int32_t>({x, 0, theta, 0}, 1);
    EXPECT_EQ(outcome.reward, 1);  // The last step counts too.
    return outcome.terminated;
  };
  EXPECT_FALSE(ends(2.4, 0));
  EXPECT_FALSE(ends(-2.4, 0));
  EXPECT_TRUE(ends(2.4000001, 0));
  EXPECT_TRUE(ends(-2.4000001, 0));
  EXPECT_FALSE(ends(0, twelve_degrees - 1e-9));
  EXPECT_TRUE(ends(0, twelve_degrees + 1e-9));
  EXPECT_TRUE(ends(0, -twelve_degrees - 1e-9));
}

TEST(CartPoleTest, ResetsUniformlyAroundZero) {
  const auto range = ResetRange<CartPole>();
  EXPECT_THAT(range,
              ElementsAre(Fills(-.05, .05), Fills(-.05, .05), Fills(-.05, .05), Fills(-.05, .05)));
}

// Kinetic and potential energy of two unit-mass links with unit inertia.
double AcrobotEnergy(const std::vector<double>& s) {
  // Velocities of the two centres of mass, from their positions by hand.
  const double w1 = s[2], w2 = s[2] + s[3];
  const double x2 = w1 * std::cos(s[0]) + 0.5 * w2 * std::cos(s[0] + s[1]);
  const double y2 = w1 * std::sin(s[0]) + 0.5 * w2 * std::sin(s[0] + s[1]);
  const double kinetic = 0.5 * (0.25 * w1 * w1 + w1 * w1) +    // First link.
                         0.5 * (x2 * x2 + y2 * y2 + w2 * w2);  // Second link.
  const double potential =
      -9.8 * (0.5 * std::cos(s[0])) - 9.8 * (std::cos(s[0]) + 0.5 * std::cos(s[0] + s[1]));
  return kinetic + potential;
}

TEST(AcrobotTest, GainsExactlyTheWorkOfItsMotor) {
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    std::vector<double> state;
    for (int k = 0; k < 4; ++k) state.push_back(random.Uniform(-0.5, 0.5));
    const auto action = static_cast<int32_t>(random.Below(3));
    const std::vector<double> next = StepFrom<Acrobot, int32_t>(state, action).state;
    const double work = (action - 1) * (next[1] - state[1]);
    // As good as Runge-Kutta over 0.2 s is at these speeds.
    EXPECT_NEAR(AcrobotEnergy(next) - AcrobotEnergy(state), work, 2e-3);
  }
}

TEST(AcrobotTest, HangsStillWithoutTorque) {
  const Outcome outcome = StepFrom<Acrobot, int32_t>({0, 0, 0, 0}, 1);
  EXPECT_THAT(outcome.state, testing::Each(DoubleNear(0, 1e-15)));
  EXPECT_THAT(outcome.observation, Pointwise(testing::FloatNear(1e-6), {1, 0, 1, 0, 0, 0}));
  EXPECT_EQ(outcome.reward, -1);
  EXPECT_FALSE(outcome.terminated);
}

TEST(AcrobotTest, EndsWithoutCostOnceTheTipIsAboveTheLine) {
  // Both links straight up: the tip is two lengths above the joint.
  const Outcome up = StepFrom<Acrobot, int32_t>({kPi, 0, 0, 0}, 1);
  EXPECT_TRUE(up.terminated);
  EXPECT_EQ(up.reward, 0);
}

TEST(AcrobotTest, WrapsAnglesAndBoundsVelocities) {
  const Outcome fast = StepFrom<Acrobot, int32_t>({3, 3, 12.5, 28.2}, 2);
  EXPECT_LE(std::abs(fast.state[0]), kPi);
  EXPECT_LE(std::abs(fast.state[1]), kPi);
  EXPECT_LE(std::abs(fast.state[2]), 4 * kPi);
  EXPECT_LE(std::abs(fast.state[3]), 9 * kPi);
}

TEST(AcrobotTest, ResetsUniformlyAroundHanging) {
  // Float32 may round a number just below the bound up onto its float32.
  const double bound = static_cast<float>(0.1);
  EXPECT_THAT(ResetRange<Acrobot>(), testing::Each(Fills(-bound, bound)));
}

TEST(MountainCarTest, FollowsTheSlopeAndTheEngine) {
  // v = 0.001 - 0.0025 cos(-1.5) = 0.001 - 0.0025 * 0.0707372017.
  const Outcome outcome = StepFrom<MountainCar, int32_t>({-0.5, 0}, 2);
  EXPECT_THAT(outcome.state,
              ElementsAre(DoubleNear(-0.499176843, 1e-9), DoubleNear(0.000823157, 1e-9)));
  EXPECT_EQ(outcome.reward, -1);
  EXPECT_FALSE(outcome.terminated);
  const Outcome idle = StepFrom<MountainCar, int32_t>({-0.5, 0}, 1);
  EXPECT_THAT(outcome.state[1] - idle.state[1], DoubleNear(0.001, 1e-15));
}

TEST(MountainCarTest, StopsAtTheLeftWallAndKeepsItsSpeedLimit) {
  EXPECT_THAT((StepFrom<MountainCar, int32_t>({-1.19, -0.07}, 0).state), ElementsAre(-1.2, 0));
  EXPECT_EQ((StepFrom<MountainCar, int32_t>({-1.0, 0.07}, 2).state[1]), 0.07);
}

TEST(MountainCarTest, EndsAtTheFlagOnTheRight) {
  EXPECT_TRUE((StepFrom<MountainCar, int32_t>({0.45, 0.06}, 2).terminated));
  EXPECT_FALSE((StepFrom<MountainCar, int32_t>({0.45, 0.04}, 2).terminated));
}

TEST(MountainCarTest, ResetsUniformlyAtTheBottomAtRest) {
  EXPECT_THAT(ResetRange<MountainCar>(), ElementsAre(Fills(-0.6, -0.4), testing::Pair(0.0, 0.0)));
}

TEST(MountainCarContinuousTest, PaysForTheSquareOfTheForce) {
  // v = 0.5 * 0.0015 - 0.0025 cos(-1.5).
  const Outcome outcome = StepFrom<MountainCarContinuous, float>({-0.5, 0}, 0.5f);
  EXPECT_THAT(outcome.state,
              ElementsAre(DoubleNear(-0.499426843, 1e-7), DoubleNear(0.000573157, 1e-9)));
  EXPECT_DOUBLE_EQ(outcome.reward, -0.025);
  EXPECT_FALSE(outcome.terminated);
}

TEST(MountainCarContinuousTest, TheTopPaysAHundred) {
  const Outcome outcome = StepFrom<MountainCarContinuous, float>({0.44, 0.05}, 1.0f);
  EXPECT_TRUE(outcome.terminated);
  EXPECT_DOUBLE_EQ(outcome.reward, 99.9);
}

TEST(MountainCarContinuousTest, ClipsTheForceBeforeItIsPaidFor) {
  const Outcome beyond = StepFrom<MountainCarContinuous, float>({-0.5, 0}, -3.0f);
  const Outcome bound = StepFrom<MountainCarContinuous, float>({-0.5, 0}, -1.0f);
  EXPECT_EQ(beyond.state, bound.state);
  EXPECT_DOUBLE_EQ(beyond.reward, -0.1);
}

TEST(MountainCarContinuousTest, ResetsUniformlyAtTheBottomAtRest) {
  EXPECT_THAT(ResetRange<MountainCarContinuous>(),
              ElementsAre(Fills(-0.6, -0.4), testing::Pair(0.0, 0.0)));
}

TEST(PendulumTest, FallsAndPaysForAngleSpeedAndTorque) {
  // Level, at rest: v = 3/2 g dt = 0.75; theta = pi/2 + 0.75 dt; cost (pi/2)^2.
  const Outcome idle = StepFrom<Pendulum, float>({kPi / 2, 0}, 0.0f);
  EXPECT_THAT(idle.state, ElementsAre(DoubleEq(kPi / 2 + 0.0375), DoubleEq(0.75)));
  EXPECT_DOUBLE_EQ(idle.reward, -kPi * kPi / 4);
  EXPECT_FALSE(idle.terminated);
  EXPECT_THAT(idle.observation, ElementsAre(FloatEq(std::cos(kPi / 2 + 0.0375)),
                                            FloatEq(std::sin(kPi / 2 + 0.0375)), 0.75f));
  // Torque 2: v + 3 * 2 * dt; cost + 0.001 * 4. Speed 4: cost + 0.1 * 16.
  const Outcome driven = StepFrom<Pendulum, float>({kPi / 2, 4}, 2.0f);
  EXPECT_THAT(driven.state[1], DoubleNear(5.05, 1e-12));
  EXPECT_THAT(driven.reward, DoubleNear(-kPi * kPi / 4 - 1.6 - 0.004, 1e-8));
}

TEST(PendulumTest, NormalisesTheAngleForItsCostOnly) {
  const Outcome outcome = StepFrom<Pendulum, float>({2 * kPi + 0.5, 0}, 0.0f);
  EXPECT_THAT(outcome.reward, DoubleNear(-0.25, 1e-12));
  EXPECT_GT(outcome.state[0], 2 * kPi);
  EXPECT_THAT((StepFrom<Pendulum, float>({-4 * kPi - 0.5, 0}, 0.0f).reward),
              DoubleNear(-0.25, 1e-12));
}

TEST(PendulumTest, BoundsItsSpeedAndTorque) {
  EXPECT_EQ((StepFrom<Pendulum, float>({kPi / 2, 7.9}, 2.0f).state[1]), 8);
  const Outcome beyond = StepFrom<Pendulum, float>({1, 0}, 50.0f);
  const Outcome bound = StepFrom<Pendulum, float>({1, 0}, 2.0f);
  EXPECT_EQ(beyond.state, bound.state);
  EXPECT_EQ(beyond.reward, bound.reward);
}

TEST(PendulumTest, ResetsToAnyAngle) {
  EXPECT_THAT(ResetRange<Pendulum>(), ElementsAre(Fills(-kPi, kPi), Fills(-1.0, 1.0)));
}

}  // namespace
}  // namespace cadre
