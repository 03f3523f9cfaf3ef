#include "envs/classic/mountain_car_continuous.h"

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
constexpr double kGoal = 0.45;
constexpr double kPower = 0.0015;
constexpr double kGravity = 0.0025;

bool IsSingle(double value) { return value == static_cast<double>(static_cast<float>(value)); }

// Position and velocity one step later, computed in `Real`. Only the acceleration
// is float32 in either precision: NumPy rounds Python's numbers to the action's type.
template <typename Real>
std::array<Real, 2> Advance(Real position, Real velocity, float force) {
  constexpr Real kLeft = static_cast<Real>(kMinPosition);
  constexpr Real kRight = static_cast<Real>(kMaxPosition);
  constexpr Real kFastest = static_cast<Real>(kMaxSpeed);
  const double slope = kGravity * std::cos(static_cast<double>(3 * position));
  velocity += force * static_cast<float>(kPower) - static_cast<float>(slope);
  velocity = std::clamp(velocity, -kFastest, kFastest);
  position = std::clamp(position + velocity, kLeft, kRight);
  if (position == kLeft && velocity < 0) velocity = 0;  // The left wall.
  return {position, velocity};
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
  const float force = ContinuousAction(action, 0, -1, 1);
  const auto [position, velocity] = state_;
  bool reached;
  // Gymnasium's first step after a reset is in float64, each later one in float32,
  // which shows in the numbers themselves: what Reset draws does not fit float32.
  if (IsSingle(position) && IsSingle(velocity)) {
    const auto next =
        Advance<float>(static_cast<float>(position), static_cast<float>(velocity), force);
    reached = next[0] >= static_cast<float>(kGoal) && next[1] >= 0;
    state_ = {next[0], next[1]};
  } else {
    const auto next = Advance<double>(position, velocity, force);
    reached = next[0] >= kGoal && next[1] >= 0;
    state_ = {static_cast<float>(next[0]), static_cast<float>(next[1])};
  }
  WriteObservation(state_, observation[0]);
  const double cost = 0.1 * (static_cast<double>(force) * force);
  return {.reward = (reached ? 100.0 : 0.0) - cost, .terminated = reached};
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
