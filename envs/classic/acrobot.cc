#include "envs/classic/acrobot.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/check.h"
#include "common/status_macros.h"
#include "envs/classic/lanes.h"
#include "envs/encoding.h"

namespace cadre {
namespace {

// Named numbers, not an array: loops over its elements would keep those over lanes from
// vectorising.
struct State {
  double theta1, theta2, dtheta1, dtheta2;
};

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
CADRE_LANE_INLINE State Derivative(const State& s, double torque) {
  const auto [theta1, theta2, dtheta1, dtheta2] = s;
  const double sine2 = Sin(theta2);
  const double cosine2 = Cos(theta2);
  const double d1 =
      kMass1 * kCentre1 * kCentre1 +
      kMass2 * (kLength1 * kLength1 + kCentre2 * kCentre2 + 2 * kLength1 * kCentre2 * cosine2) +
      kInertia1 + kInertia2;
  const double d2 = kMass2 * (kCentre2 * kCentre2 + kLength1 * kCentre2 * cosine2) + kInertia2;
  const double phi2 = kMass2 * kCentre2 * kGravity * Cos(theta1 + theta2 - kPi / 2);
  const double phi1 = -kMass2 * kLength1 * kCentre2 * dtheta2 * dtheta2 * sine2 -
                      2 * kMass2 * kLength1 * kCentre2 * dtheta2 * dtheta1 * sine2 +
                      (kMass1 * kCentre1 + kMass2 * kLength1) * kGravity * Cos(theta1 - kPi / 2) +
                      phi2;
  const double ddtheta2 =
      (torque + d2 / d1 * phi1 - kMass2 * kLength1 * kCentre2 * dtheta1 * dtheta1 * sine2 - phi2) /
      (kMass2 * kCentre2 * kCentre2 + kInertia2 - d2 * d2 / d1);
  const double ddtheta1 = -(d2 * ddtheta2 + phi1) / d1;
  return {dtheta1, dtheta2, ddtheta1, ddtheta2};
}

CADRE_LANE_INLINE State Moved(const State& s, double time, const State& derivative) {
  return {s.theta1 + time * derivative.theta1, s.theta2 + time * derivative.theta2,
          s.dtheta1 + time * derivative.dtheta1, s.dtheta2 + time * derivative.dtheta2};
}

// One step of the classic fourth-order Runge-Kutta method.
CADRE_LANE_INLINE State Integrate(const State& s, double torque) {
  const State k1 = Derivative(s, torque);
  const State k2 = Derivative(Moved(s, kTimeStep / 2, k1), torque);
  const State k3 = Derivative(Moved(s, kTimeStep / 2, k2), torque);
  const State k4 = Derivative(Moved(s, kTimeStep, k3), torque);
  const auto weighted = [](double a, double b, double c, double d) {
    return a + 2 * b + 2 * c + d;
  };
  const State slope = {weighted(k1.theta1, k2.theta1, k3.theta1, k4.theta1),
                       weighted(k1.theta2, k2.theta2, k3.theta2, k4.theta2),
                       weighted(k1.dtheta1, k2.dtheta1, k3.dtheta1, k4.dtheta1),
                       weighted(k1.dtheta2, k2.dtheta2, k3.dtheta2, k4.dtheta2)};
  return Moved(s, kTimeStep / 6, slope);
}

// The same angle in [-pi, pi]. By whole turns, as Gymnasium does it: std::remainder
// would differ in the last bit. A few at most, for velocities are bounded.
double Wrap(double angle) {
  while (angle > kPi) angle -= 2 * kPi;
  while (angle < -kPi) angle += 2 * kPi;
  return angle;
}

struct Lanes {
  double state[4][kLanes], torque[kLanes];
  double tip_height[kLanes];
  float shown[6][kLanes];
};

// All but the angles' wrapping.
CADRE_VECTOR_VERSIONS void IntegrateLanes(Lanes& lanes, size_t count) {
  auto& [theta1, theta2, dtheta1, dtheta2] = lanes.state;
  for (size_t i = 0; i < count; ++i) {
    const State next = Integrate({theta1[i], theta2[i], dtheta1[i], dtheta2[i]}, lanes.torque[i]);
    theta1[i] = next.theta1;
    theta2[i] = next.theta2;
    dtheta1[i] = Clamped(next.dtheta1, -kMaxVelocity1, kMaxVelocity1);
    dtheta2[i] = Clamped(next.dtheta2, -kMaxVelocity2, kMaxVelocity2);
  }
}

CADRE_VECTOR_VERSIONS void ShowLanes(Lanes& lanes, size_t count) {
  const auto& [theta1, theta2, dtheta1, dtheta2] = lanes.state;
  for (size_t i = 0; i < count; ++i) {
    const SineCosine first = SinCos(theta1[i]), second = SinCos(theta2[i]);
    lanes.shown[0][i] = static_cast<float>(first.cosine);
    lanes.shown[1][i] = static_cast<float>(first.sine);
    lanes.shown[2][i] = static_cast<float>(second.cosine);
    lanes.shown[3][i] = static_cast<float>(second.sine);
    lanes.shown[4][i] = static_cast<float>(dtheta1[i]);
    lanes.shown[5][i] = static_cast<float>(dtheta2[i]);
    lanes.tip_height[i] = -first.cosine - Cos(theta2[i] + theta1[i]);
  }
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
  return StepOne(*this, action, observation[0]);
}

void Acrobot::StepAll(absl::Span<Acrobot> environments, const StepAllRows& rows) {
  Lanes lanes;
  for (size_t first = 0; first < environments.size(); first += kLanes) {
    const size_t count = std::min(kLanes, environments.size() - first);
    for (size_t i = 0; i < count; ++i) {
      for (size_t k = 0; k < 4; ++k) lanes.state[k][i] = environments[first + i].state_[k];
      lanes.torque[i] = DiscreteAction(rows.actions, first + i) - 1;
    }
    IntegrateLanes(lanes, count);
    for (size_t k = 0; k < 2; ++k)
      for (size_t i = 0; i < count; ++i) lanes.state[k][i] = Wrap(lanes.state[k][i]);
    ShowLanes(lanes, count);
    for (size_t i = 0; i < count; ++i) {
      for (size_t k = 0; k < 4; ++k) environments[first + i].state_[k] = lanes.state[k][i];
      WriteLane(lanes.shown, i, first + i, rows.observations);
      const bool reached = lanes.tip_height[i] > 1.0;
      rows.results[first + i] = {.reward = reached ? 0.0 : -1.0, .terminated = reached};
    }
  }
}

void Acrobot::Observe(ObservationRow observation) const {
  WriteObservation(std::array{Cos(state_[0]), Sin(state_[0]), Cos(state_[1]), Sin(state_[1]),
                              state_[2], state_[3]},
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
