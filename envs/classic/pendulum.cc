#include "envs/classic/pendulum.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/check.h"
#include "common/status_macros.h"
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

// The same angle in [-pi, pi).
double Normalized(double angle) {
  double turned = std::fmod(angle + kPi, 2 * kPi);
  if (turned < 0) turned += 2 * kPi;
  return turned - kPi;
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
  const auto [angle, velocity] = state_;
  const float torque = ContinuousAction(action, 0, -kMaxTorque, kMaxTorque);
  const double normalized = Normalized(angle);
  // The torque's terms alone are float32, as NumPy computes them.
  const double cost =
      normalized * normalized + 0.1 * (velocity * velocity) + 0.001f * (torque * torque);

  // Rod about its end, semi-implicit Euler: the angle moves with the new velocity.
  constexpr float kTorqueGain = static_cast<float>(3.0 / (kMass * kLength * kLength));
  const double acceleration = 3 * kGravity / (2 * kLength) * std::sin(angle) + kTorqueGain * torque;
  const double next_velocity =
      std::clamp(velocity + acceleration * kTimeStep, -kMaxSpeed, kMaxSpeed);
  state_ = {angle + next_velocity * kTimeStep, next_velocity};
  Observe(observation);
  return {.reward = -cost, .terminated = false};
}

void Pendulum::Observe(ObservationRow observation) const {
  WriteObservation(std::array{std::cos(state_[0]), std::sin(state_[0]), state_[1]}, observation[0]);
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
