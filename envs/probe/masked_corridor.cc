#include "envs/probe/masked_corridor.h"

#include "envs/encoding.h"

namespace cadre {

const EnvironmentSpec& MaskedCorridor::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    EnvironmentSpec result;
    result.id = "MaskedCorridor-v0";
    result.observation.columns = {{.shape = {1}, .low = {0}, .high = {1}}};
    result.action = ActionSpace::Discrete(kDoors);
    result.action.masked = true;
    result.max_episode_steps = 2 * kRooms;
    result.reward_threshold = 21.5;
    return result;
  }());
  return spec;
}

void MaskedCorridor::Reset(Random& random, ObservationRow observation) {
  room_ = 0;
  Enter(random, observation);
}

StepResult MaskedCorridor::Step(absl::Span<const std::byte> action, Random& random,
                                ObservationRow observation) {
  const int32_t door = DiscreteAction(action);
  const bool open = open_[door] != 0;
  if (open) ++room_;
  Enter(random, observation);
  return {.reward = open ? door : -kPenalty, .terminated = !open || room_ == kRooms};
}

void MaskedCorridor::Enter(Random& random, ObservationRow observation) {
  const auto doors = static_cast<uint32_t>(1 + random.Below((1u << kDoors) - 1));
  for (int door = 0; door < kDoors; ++door) open_[door] = doors >> door & 1;
  WriteObservation(std::array{static_cast<float>(room_) / kRooms}, observation[0]);
  WriteObservation<uint8_t>(open_, observation[1]);
}

}  // namespace cadre
