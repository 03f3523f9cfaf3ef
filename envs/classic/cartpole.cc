#include "envs/classic/cartpole.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "common/check.h"
#include "common/status_macros.h"
#include "envs/encoding.h"

namespace cadre {
namespace {

constexpr double kGravity = 9.8;                                 // [m/s^2]
constexpr double kPoleMass = 0.1;                                // [kg]
constexpr double kTotalMass = 0.1 + 1.0;                         // [kg] pole and cart
constexpr double kHalfLength = 0.5;                              // [m] of the pole
constexpr double kPoleMoment = kPoleMass * kHalfLength;          // [kg m]
constexpr double kForce = 10.0;                                  // [N]
constexpr double kTimeStep = 0.02;                               // [s]
constexpr double kPositionLimit = 2.4;                           // [m]
constexpr double kAngleLimit = 12 * 2 * std::numbers::pi / 360;  // [rad] 12 degrees
constexpr double kResetBound = 0.05;                             // Of each of the four numbers.

}  // namespace

const EnvironmentSpec& CartPole::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const std::vector<float> high = {static_cast<float>(2 * kPositionLimit), kInfinity,
                                     static_cast<float>(2 * kAngleLimit), kInfinity};
    EnvironmentSpec result;
    result.id = "CartPole-v1";
    result.observation.columns = {
        {.shape = {4}, .low = {-high[0], -high[1], -high[2], -high[3]}, .high = high}};
    result.action = ActionSpace::Discrete(2);
    result.max_episode_steps = 500;
    result.reward_threshold = 475;
    return result;
  }());
  return spec;
}

void CartPole::Reset(Random& random, ObservationRow observation) {
  for (double& value : state_) value = random.Uniform(-kResetBound, kResetBound);
  WriteObservation(state_, observation[0]);
}

StepResult CartPole::Step(absl::Span<const std::byte> action, Random& /*random*/,
                          ObservationRow observation) {
  const auto [x, x_dot, theta, theta_dot] = state_;
  const double force = DiscreteAction(action) == 1 ? kForce : -kForce;
  const double cosine = std::cos(theta);
  const double sine = std::sin(theta);

  // Barto et al. 1983, appendix, without friction.
  const double pushed = (force + kPoleMoment * (theta_dot * theta_dot) * sine) / kTotalMass;
  const double theta_acceleration =
      (kGravity * sine - cosine * pushed) /
      (kHalfLength * (4.0 / 3.0 - kPoleMass * (cosine * cosine) / kTotalMass));
  const double x_acceleration = pushed - kPoleMoment * theta_acceleration * cosine / kTotalMass;

  // Explicit Euler: positions move with the velocities from before the step.
  state_ = {x + kTimeStep * x_dot, x_dot + kTimeStep * x_acceleration,
            theta + kTimeStep * theta_dot, theta_dot + kTimeStep * theta_acceleration};
  WriteObservation(state_, observation[0]);
  const bool fell = std::abs(state_[0]) > kPositionLimit || std::abs(state_[2]) > kAngleLimit;
  return {.reward = 1.0, .terminated = fell};
}

absl::Status CartPole::SetState(absl::Span<const double> state, ObservationRow observation) {
  CADRE_RETURN_IF_ERROR(CheckStateSize(Spec(), state, state_.size()));
  set_state(state);
  WriteObservation(state_, observation[0]);
  return absl::OkStatus();
}

void CartPole::set_state(absl::Span<const double> state) {
  CADRE_CHECK(state.size() == state_.size());
  std::copy(state.begin(), state.end(), state_.begin());
}

}  // namespace cadre
