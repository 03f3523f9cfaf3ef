#include "envs/classic/pendulum.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/check.h"
#include "common/status_macros.h"
#include "envs/classic/lanes.h"
#include "envs/encoding.h"

namespace cadre {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kGravity = 10.0;   // [m/s^2]
constexpr double kMass = 1.0;       // [kg]
constexpr double kLength = 1.0;     // [m] of a uniform rod: its inertia is m l^2 / 3
constexpr double kTimeStep = 0.05;  // [s]
constexpr double kMaxSpeed = 8.0;   // [rad/s]
constexpr float kMaxTorque = 2.0f;  // [N m]

// The same angle in [-pi, pi), by the exact remainder of a division by 2 pi as std::fmod has it,
// for angles up to a million: 2 pi in two parts, whose products with a number of turns are exact.
CADRE_LANE_INLINE double Normalized(double angle) {
  constexpr double kTurn = 2 * kPi;
  constexpr double kTurn1 = 0x1.921fb544p2;
  constexpr double kTurn2 = kTurn - kTurn1;
  constexpr double kRound = 0x1.8p52;  // Adding it rounds to an integer.
  const double size = std::abs(angle + kPi);
  const double turns = (size * (1 / kTurn) + kRound) - kRound;
  double rest = (size - turns * kTurn1) - turns * kTurn2;
  rest = rest < 0 ? rest + kTurn : rest;
  const double turned = angle + kPi < 0 ? (rest == 0 ? 0.0 : kTurn - rest) : rest;
  return turned - kPi;
}

struct Lanes {
  double state[2][kLanes];  // Angle and velocity.
  float torque[kLanes];
  double cost[kLanes];
  float shown[3][kLanes];
};

CADRE_VECTOR_VERSIONS void Advance(Lanes& lanes, size_t count) {
  auto& [angles, velocities] = lanes.state;
  for (size_t i = 0; i < count; ++i) {
    const double angle = angles[i], velocity = velocities[i];
    const float torque = lanes.torque[i];
    const double normalized = Normalized(angle);
    // The torque's terms alone are float32, as NumPy computes them.
    lanes.cost[i] =
        normalized * normalized + 0.1 * (velocity * velocity) + 0.001f * (torque * torque);

    // Rod about its end, semi-implicit Euler: the angle moves with the new velocity.
    constexpr float kTorqueGain = static_cast<float>(3.0 / (kMass * kLength * kLength));
    const double acceleration = 3 * kGravity / (2 * kLength) * Sin(angle) + kTorqueGain * torque;
    const double next_velocity =
        Clamped(velocity + acceleration * kTimeStep, -kMaxSpeed, kMaxSpeed);
    const double next_angle = angle + next_velocity * kTimeStep;
    angles[i] = next_angle;
    velocities[i] = next_velocity;
    const auto [sine, cosine] = SinCos(next_angle);
    lanes.shown[0][i] = static_cast<float>(cosine);
    lanes.shown[1][i] = static_cast<float>(sine);
    lanes.shown[2][i] = static_cast<float>(next_velocity);
  }
}

}  // namespace

const EnvironmentSpec& Pendulum::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    constexpr float kHigh = static_cast<float>(kMaxSpeed);
    EnvironmentSpec result;
    result.id = "Pendulum-v1";
    result.observation.columns = {{.shape = {3}, .low = {-1, -1, -kHigh}, .high = {1, 1, kHigh}}};
    result.action.kind = ActionSpace::Kind::kContinuous;
    result.action.dimensions = 1;
    result.action.low = {-kMaxTorque};
    result.action.high = {kMaxTorque};
    result.max_episode_steps = 200;
    return result;
  }());
  return spec;
}

void Pendulum::Reset(Random& random, ObservationRow observation) {
  const double angle = random.Uniform(-kPi, kPi);
  state_ = {angle, random.Uniform(-1.0, 1.0)};
  Observe(observation);
}

StepResult Pendulum::Step(absl::Span<const std::byte> action, Random& /*random*/,
                          ObservationRow observation) {
  return StepOne(*this, action, observation[0]);
}

void Pendulum::StepAll(absl::Span<Pendulum> environments, const StepAllRows& rows) {
  Lanes lanes;
  for (size_t first = 0; first < environments.size(); first += kLanes) {
    const size_t count = std::min(kLanes, environments.size() - first);
    for (size_t i = 0; i < count; ++i) {
      for (size_t k = 0; k < 2; ++k) lanes.state[k][i] = environments[first + i].state_[k];
      lanes.torque[i] = ContinuousAction(rows.actions, first + i, -kMaxTorque, kMaxTorque);
    }
    Advance(lanes, count);
    for (size_t i = 0; i < count; ++i) {
      environments[first + i].state_ = {lanes.state[0][i], lanes.state[1][i]};
      WriteLane(lanes.shown, i, first + i, rows.observations);
      rows.results[first + i] = {.reward = -lanes.cost[i], .terminated = false};
    }
  }
}

void Pendulum::Observe(ObservationRow observation) const {
  WriteObservation(std::array{Cos(state_[0]), Sin(state_[0]), state_[1]}, observation[0]);
}

absl::Status Pendulum::SetState(absl::Span<const double> state, ObservationRow observation) {
  CADRE_RETURN_IF_ERROR(CheckStateSize(Spec(), state, state_.size()));
  set_state(state);
  Observe(observation);
  return absl::OkStatus();
}

void Pendulum::set_state(absl::Span<const double> state) {
  CADRE_CHECK(state.size() == state_.size());
  std::copy(state.begin(), state.end(), state_.begin());
}

}  // namespace cadre
