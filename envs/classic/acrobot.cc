#include "envs/classic/acrobot.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/check.h"
#include "common/status_macros.h"
#include "envs/encoding.h"

namespace cadre {
namespace {

using State = std::array<double, 4>;  // theta1, theta2, and their derivatives.

constexpr double kPi = std::numbers::pi;
constexpr double kGravity = 9.8;           // [m/s^2]
constexpr double kLength1 = 1.0;           // [m]
constexpr double kMass1 = 1.0;             // [kg]
constexpr double kMass2 = 1.0;             // [kg]
constexpr double kCentre1 = 0.5;           // [m] from the joint to the centre of mass
constexpr double kCentre2 = 0.5;           // [m]
constexpr double kInertia1 = 1.0;          // [kg m^2] about the centre of mass
constexpr double kInertia2 = 1.0;          // [kg m^2]
constexpr double kTimeStep = 0.2;          // [s]
constexpr double kMaxVelocity1 = 4 * kPi;  // [rad/s]
constexpr double kMaxVelocity2 = 9 * kPi;  // [rad/s]
constexpr double kResetBound = 0.1;        // Of each of the four numbers.

// The time derivative of `s` under `torque` [N m]: Sutton and Barto 1998, figure
// 11.4 with its equations of motion, in the same names.
State Derivative(const State& s, double torque) {
  const auto [theta1, theta2, dtheta1, dtheta2] = s;
  const double sine2 = std::sin(theta2);
  const double cosine2 = std::cos(theta2);
  const double d1 =
      kMass1 * kCentre1 * kCentre1 +
      kMass2 * (kLength1 * kLength1 + kCentre2 * kCentre2 + 2 * kLength1 * kCentre2 * cosine2) +
      kInertia1 + kInertia2;
  const double d2 = kMass2 * (kCentre2 * kCentre2 + kLength1 * kCentre2 * cosine2) + kInertia2;
  const double phi2 = kMass2 * kCentre2 * kGravity * std::cos(theta1 + theta2 - kPi / 2);
  const double phi1 =
      -kMass2 * kLength1 * kCentre2 * dtheta2 * dtheta2 * sine2 -
      2 * kMass2 * kLength1 * kCentre2 * dtheta2 * dtheta1 * sine2 +
      (kMass1 * kCentre1 + kMass2 * kLength1) * kGravity * std::cos(theta1 - kPi / 2) + phi2;
  const double ddtheta2 =
      (torque + d2 / d1 * phi1 - kMass2 * kLength1 * kCentre2 * dtheta1 * dtheta1 * sine2 - phi2) /
      (kMass2 * kCentre2 * kCentre2 + kInertia2 - d2 * d2 / d1);
  const double ddtheta1 = -(d2 * ddtheta2 + phi1) / d1;
  return {dtheta1, dtheta2, ddtheta1, ddtheta2};
}

State Moved(const State& s, double time, const State& derivative) {
  State result;
  for (size_t i = 0; i < s.size(); ++i) result[i] = s[i] + time * derivative[i];
  return result;
}

// One step of the classic fourth-order Runge-Kutta method.
State Integrate(const State& s, double torque) {
  const State k1 = Derivative(s, torque);
  const State k2 = Derivative(Moved(s, kTimeStep / 2, k1), torque);
  const State k3 = Derivative(Moved(s, kTimeStep / 2, k2), torque);
  const State k4 = Derivative(Moved(s, kTimeStep, k3), torque);
  State slope;
  for (size_t i = 0; i < s.size(); ++i) slope[i] = k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i];
  return Moved(s, kTimeStep / 6, slope);
}

// The same angle in [-pi, pi]. By whole turns, as Gymnasium does it: std::remainder
// would differ in the last bit. A few at most, for velocities are bounded.
double Wrap(double angle) {
  while (angle > kPi) angle -= 2 * kPi;
  while (angle < -kPi) angle += 2 * kPi;
  return angle;
}

}  // namespace

const EnvironmentSpec& Acrobot::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    constexpr float kHigh1 = static_cast<float>(kMaxVelocity1);
    constexpr float kHigh2 = static_cast<float>(kMaxVelocity2);
    EnvironmentSpec result;
    result.id = "Acrobot-v1";
    result.observation.columns = {{.shape = {6},
                                   .low = {-1, -1, -1, -1, -kHigh1, -kHigh2},
                                   .high = {1, 1, 1, 1, kHigh1, kHigh2}}};
    result.action = ActionSpace::Discrete(3);  // Torque -1, 0, 1 N m.
    result.max_episode_steps = 500;
    result.reward_threshold = -100;
    return result;
  }());
  return spec;
}

void Acrobot::Reset(Random& random, ObservationRow observation) {
  // Gymnasium keeps the first state, and only that one, in float32.
  for (double& value : state_)
    value = static_cast<float>(random.Uniform(-kResetBound, kResetBound));
  Observe(observation);
}

StepResult Acrobot::Step(absl::Span<const std::byte> action, Random& /*random*/,
                         ObservationRow observation) {
  const double torque = DiscreteAction(action) - 1;
  const State next = Integrate(state_, torque);
  state_ = {Wrap(next[0]), Wrap(next[1]), std::clamp(next[2], -kMaxVelocity1, kMaxVelocity1),
            std::clamp(next[3], -kMaxVelocity2, kMaxVelocity2)};
  Observe(observation);
  const double tip_height = -std::cos(state_[0]) - std::cos(state_[1] + state_[0]);
  const bool reached = tip_height > 1.0;
  return {.reward = reached ? 0.0 : -1.0, .terminated = reached};
}

void Acrobot::Observe(ObservationRow observation) const {
  WriteObservation(std::array{std::cos(state_[0]), std::sin(state_[0]), std::cos(state_[1]),
                              std::sin(state_[1]), state_[2], state_[3]},
                   observation[0]);
}

absl::Status Acrobot::SetState(absl::Span<const double> state, ObservationRow observation) {
  CADRE_RETURN_IF_ERROR(CheckStateSize(Spec(), state, state_.size()));
  set_state(state);
  Observe(observation);
  return absl::OkStatus();
}

void Acrobot::set_state(absl::Span<const double> state) {
  CADRE_CHECK(state.size() == state_.size());
  std::copy(state.begin(), state.end(), state_.begin());
}

}  // namespace cadre
