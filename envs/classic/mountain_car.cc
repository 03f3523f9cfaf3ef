#include "envs/classic/mountain_car.h"

#include <algorithm>
#include <cmath>

#include "common/check.h"
#include "common/status_macros.h"
#include "envs/classic/lanes.h"
#include "envs/encoding.h"

namespace cadre {
namespace {

constexpr double kMinPosition = -1.2;
constexpr double kMaxPosition = 0.6;
constexpr double kMaxSpeed = 0.07;
constexpr double kGoal = 0.5;
constexpr double kForce = 0.001;
constexpr double kGravity = 0.0025;

struct Lanes {
  double state[2][kLanes];  // Position and velocity.
  double push[kLanes];      // -1, 0 or 1
};

CADRE_VECTOR_VERSIONS void Advance(Lanes& lanes, size_t count) {
  auto& [positions, velocities] = lanes.state;
  for (size_t i = 0; i < count; ++i) {
    // Sutton and Barto 2018, example 10.1.
    double velocity = velocities[i] + (lanes.push[i] * kForce + Cos(3 * positions[i]) * -kGravity);
    velocity = Clamped(velocity, -kMaxSpeed, kMaxSpeed);
    const double position = Clamped(positions[i] + velocity, kMinPosition, kMaxPosition);
    const double bounced = velocity < 0 ? 0.0 : velocity;
    positions[i] = position;
    velocities[i] = position == kMinPosition ? bounced : velocity;  // The left wall.
  }
}

}  // namespace

const EnvironmentSpec& MountainCar::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    EnvironmentSpec result;
    result.id = "MountainCar-v0";
    result.observation.columns = {
        {.shape = {2},
         .low = {static_cast<float>(kMinPosition), static_cast<float>(-kMaxSpeed)},
         .high = {static_cast<float>(kMaxPosition), static_cast<float>(kMaxSpeed)}}};
    result.action = ActionSpace::Discrete(3);  // Push left, nothing, push right.
    result.max_episode_steps = 200;
    result.reward_threshold = -110;
    return result;
  }());
  return spec;
}

void MountainCar::Reset(Random& random, ObservationRow observation) {
  state_ = {random.Uniform(-0.6, -0.4), 0.0};
  WriteObservation(state_, observation[0]);
}

StepResult MountainCar::Step(absl::Span<const std::byte> action, Random& /*random*/,
                             ObservationRow observation) {
  return StepOne(*this, action, observation[0]);
}

void MountainCar::StepAll(absl::Span<MountainCar> environments, const StepAllRows& rows) {
  Lanes lanes;
  for (size_t first = 0; first < environments.size(); first += kLanes) {
    const size_t count = std::min(kLanes, environments.size() - first);
    for (size_t i = 0; i < count; ++i) {
      for (size_t k = 0; k < 2; ++k) lanes.state[k][i] = environments[first + i].state_[k];
      lanes.push[i] = DiscreteAction(rows.actions, first + i) - 1;
    }
    Advance(lanes, count);
    for (size_t i = 0; i < count; ++i) {
      const double position = lanes.state[0][i], velocity = lanes.state[1][i];
      environments[first + i].state_ = {position, velocity};
      WriteLane(lanes.state, i, first + i, rows.observations);
      rows.results[first + i] = {.reward = -1.0, .terminated = position >= kGoal && velocity >= 0};
    }
  }
}

absl::Status MountainCar::SetState(absl::Span<const double> state, ObservationRow observation) {
  CADRE_RETURN_IF_ERROR(CheckStateSize(Spec(), state, state_.size()));
  set_state(state);
  WriteObservation(state_, observation[0]);
  return absl::OkStatus();
}

void MountainCar::set_state(absl::Span<const double> state) {
  CADRE_CHECK(state.size() == state_.size());
  std::copy(state.begin(), state.end(), state_.begin());
}

}  // namespace cadre
