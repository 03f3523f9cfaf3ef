#include "envs/classic/cartpole.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "common/check.h"
#include "common/status_macros.h"
#include "envs/classic/lanes.h"
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

struct Lanes {
  double state[4][kLanes], force[kLanes];
};

CADRE_VECTOR_VERSIONS void Advance(Lanes& lanes, size_t count) {
  auto& [x, x_dot, theta, theta_dot] = lanes.state;
  for (size_t i = 0; i < count; ++i) {
    const auto [sine, cosine] = SinCos(theta[i]);

    // Barto et al. 1983, appendix, without friction.
    const double pushed =
        (lanes.force[i] + kPoleMoment * (theta_dot[i] * theta_dot[i]) * sine) / kTotalMass;
    const double theta_acceleration =
        (kGravity * sine - cosine * pushed) /
        (kHalfLength * (4.0 / 3.0 - kPoleMass * (cosine * cosine) / kTotalMass));
    const double x_acceleration = pushed - kPoleMoment * theta_acceleration * cosine / kTotalMass;

    // Explicit Euler: positions move with the velocities from before the step.
    x[i] += kTimeStep * x_dot[i];
    x_dot[i] += kTimeStep * x_acceleration;
    theta[i] += kTimeStep * theta_dot[i];
    theta_dot[i] += kTimeStep * theta_acceleration;
  }
}

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
  return StepOne(*this, action, observation[0]);
}

void CartPole::StepAll(absl::Span<CartPole> environments, const StepAllRows& rows) {
  Lanes lanes;
  for (size_t first = 0; first < environments.size(); first += kLanes) {
    const size_t count = std::min(kLanes, environments.size() - first);
    for (size_t i = 0; i < count; ++i) {
      for (size_t k = 0; k < 4; ++k) lanes.state[k][i] = environments[first + i].state_[k];
      lanes.force[i] = DiscreteAction(rows.actions, first + i) == 1 ? kForce : -kForce;
    }
    Advance(lanes, count);
    for (size_t i = 0; i < count; ++i) {
      for (size_t k = 0; k < 4; ++k) environments[first + i].state_[k] = lanes.state[k][i];
      WriteLane(lanes.state, i, first + i, rows.observations);
      const bool fell =
          std::abs(lanes.state[0][i]) > kPositionLimit || std::abs(lanes.state[2][i]) > kAngleLimit;
      rows.results[first + i] = {.reward = 1.0, .terminated = fell};
    }
  }
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
