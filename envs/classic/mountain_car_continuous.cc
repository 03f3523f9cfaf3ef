#include "envs/classic/mountain_car_continuous.h"

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
constexpr double kGoal = 0.45;
constexpr double kPower = 0.0015;
constexpr double kGravity = 0.0025;

CADRE_LANE_INLINE bool IsSingle(double value) {
  return value == static_cast<double>(static_cast<float>(value));
}

// Position and velocity one step later, computed in `Real`. Only the acceleration
// is float32 in either precision: NumPy rounds Python's numbers to the action's type.
template <typename Real>
CADRE_LANE_INLINE std::array<Real, 2> Advanced(Real position, Real velocity, float force) {
  constexpr Real kLeft = static_cast<Real>(kMinPosition);
  constexpr Real kRight = static_cast<Real>(kMaxPosition);
  constexpr Real kFastest = static_cast<Real>(kMaxSpeed);
  const double slope = kGravity * Cos(static_cast<double>(3 * position));
  velocity += force * static_cast<float>(kPower) - static_cast<float>(slope);
  velocity = Clamped(velocity, -kFastest, kFastest);
  position = Clamped(position + velocity, kLeft, kRight);
  const Real bounced = velocity < 0 ? Real{0} : velocity;
  velocity = position == kLeft ? bounced : velocity;  // The left wall.
  return {position, velocity};
}

// 1 or 0, a number like the others in a lane.
template <typename Real>
CADRE_LANE_INLINE double Reached(const std::array<Real, 2>& state) {
  const double uphill = state[1] >= 0 ? 1.0 : 0.0;
  return state[0] >= static_cast<Real>(kGoal) ? uphill : 0.0;
}

struct Lanes {
  double state[2][kLanes];  // Position and velocity.
  float force[kLanes];
  double reached[kLanes];  // 1 or 0
};

// Gymnasium's first step after a reset is in float64, each later one in float32, which shows in the
// numbers themselves: what Reset draws does not fit float32. Both are computed, and one is taken.
CADRE_VECTOR_VERSIONS void Advance(Lanes& lanes, size_t count) {
  auto& [positions, velocities] = lanes.state;
  for (size_t i = 0; i < count; ++i) {
    const double position = positions[i], velocity = velocities[i];
    const float force = lanes.force[i];
    const auto next = Advanced<double>(position, velocity, force);
    const auto next_single =
        Advanced<float>(static_cast<float>(position), static_cast<float>(velocity), force);
    const auto choose = [&](double if_single, double otherwise) {
      const double chosen = IsSingle(velocity) ? if_single : otherwise;
      return IsSingle(position) ? chosen : otherwise;
    };
    positions[i] = choose(next_single[0], static_cast<float>(next[0]));
    velocities[i] = choose(next_single[1], static_cast<float>(next[1]));
    lanes.reached[i] = choose(Reached(next_single), Reached(next));
  }
}

}  // namespace

const EnvironmentSpec& MountainCarContinuous::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    EnvironmentSpec result;
    result.id = "MountainCarContinuous-v0";
    result.observation.columns = {
        {.shape = {2},
         .low = {static_cast<float>(kMinPosition), static_cast<float>(-kMaxSpeed)},
         .high = {static_cast<float>(kMaxPosition), static_cast<float>(kMaxSpeed)}}};
    result.action.kind = ActionSpace::Kind::kContinuous;
    result.action.dimensions = 1;
    result.action.low = {-1};
    result.action.high = {1};
    result.max_episode_steps = 999;
    result.reward_threshold = 90;
    return result;
  }());
  return spec;
}

void MountainCarContinuous::Reset(Random& random, ObservationRow observation) {
  state_ = {random.Uniform(-0.6, -0.4), 0.0};
  WriteObservation(state_, observation[0]);
}

StepResult MountainCarContinuous::Step(absl::Span<const std::byte> action, Random& /*random*/,
                                       ObservationRow observation) {
  return StepOne(*this, action, observation[0]);
}

void MountainCarContinuous::StepAll(absl::Span<MountainCarContinuous> environments,
                                    const StepAllRows& rows) {
  Lanes lanes;
  for (size_t first = 0; first < environments.size(); first += kLanes) {
    const size_t count = std::min(kLanes, environments.size() - first);
    for (size_t i = 0; i < count; ++i) {
      for (size_t k = 0; k < 2; ++k) lanes.state[k][i] = environments[first + i].state_[k];
      lanes.force[i] = ContinuousAction(rows.actions, first + i, -1, 1);
    }
    Advance(lanes, count);
    for (size_t i = 0; i < count; ++i) {
      const double position = lanes.state[0][i], velocity = lanes.state[1][i];
      environments[first + i].state_ = {position, velocity};
      WriteLane(lanes.state, i, first + i, rows.observations);
      const double force = lanes.force[i];
      const bool reached = lanes.reached[i] != 0;
      rows.results[first + i] = {.reward = (reached ? 100.0 : 0.0) - 0.1 * (force * force),
                                 .terminated = reached};
    }
  }
}

absl::Status MountainCarContinuous::SetState(absl::Span<const double> state,
                                             ObservationRow observation) {
  CADRE_RETURN_IF_ERROR(CheckStateSize(Spec(), state, state_.size()));
  set_state(state);
  WriteObservation(state_, observation[0]);
  return absl::OkStatus();
}

void MountainCarContinuous::set_state(absl::Span<const double> state) {
  CADRE_CHECK(state.size() == state_.size());
  std::copy(state.begin(), state.end(), state_.begin());
}

}  // namespace cadre
