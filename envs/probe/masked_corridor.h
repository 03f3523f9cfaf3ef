// MaskedCorridor-v0: a probe of masked actions. A corridor of ten rooms, each with four doors to
// the next one, of which a random few are open, at least one. Door i pays i. Whoever walks into a
// closed door pays 10, and the episode is over. Only the mask shows which doors are open.
//
// The best is to take the last open door: it pays 3, 2, 1 or 0 with probabilities 8, 4, 2 and 1
// of 15, so a whole corridor pays 22.67 on average.
#pragma once

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "envs/environment.h"

namespace cadre {

class MaskedCorridor final : public Environment {
 public:
  static constexpr int kRooms = 10;
  static constexpr int kDoors = 4;
  static constexpr double kBestReturn = kRooms * 34.0 / 15;
  static constexpr double kPenalty = 10;

  static const EnvironmentSpec& Spec();

  const EnvironmentSpec& spec() const override { return Spec(); }
  void Reset(Random& random, ObservationRow observation) override;
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override;

 private:
  // Opens doors in the current room.
  void Enter(Random& random, ObservationRow observation);

  int room_ = 0;
  std::array<uint8_t, kDoors> open_ = {};
};

}  // namespace cadre
