#include "envs/classic/mountain_car.h"

#include <algorithm>
#include <cmath>

#include "common/check.h"
#include "common/status_macros.h"
#include "envs/encoding.h"

namespace cadre {
namespace {

constexpr double kMinPosition = -1.2;
constexpr double kMaxPosition = 0.6;
constexpr double kMaxSpeed = 0.07;
constexpr double kGoal = 0.5;
constexpr double kForce = 0.001;
constexpr double kGravity = 0.0025;

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
  auto [position, velocity] = state_;
  // Sutton and Barto 2018, example 10.1.
  velocity += (DiscreteAction(action) - 1) * kForce + std::cos(3 * position) * -kGravity;
  velocity = std::clamp(velocity, -kMaxSpeed, kMaxSpeed);
  position = std::clamp(position + velocity, kMinPosition, kMaxPosition);
  if (position == kMinPosition && velocity < 0) velocity = 0;  // The left wall.

  state_ = {position, velocity};
  WriteObservation(state_, observation[0]);
  return {.reward = -1.0, .terminated = position >= kGoal && velocity >= 0};
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
