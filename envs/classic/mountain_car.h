// MountainCar-v0: drive out of a valley with an engine weaker than gravity, so by
// swinging (Moore 1990, "Efficient memory-based learning for robot control", PhD
// thesis, Cambridge; in the form of Sutton and Barto 2018, example 10.1). Equal to
// Gymnasium's.
#pragma once

#include <array>

#include "absl/types/span.h"
#include "envs/environment.h"

namespace cadre {

class MountainCar final : public Environment {
 public:
  static const EnvironmentSpec& Spec();

  const EnvironmentSpec& spec() const override { return Spec(); }
  void Reset(Random& random, ObservationRow observation) override;
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override;
  static void StepAll(absl::Span<MountainCar> environments, const StepAllRows& rows);
  absl::Status SetState(absl::Span<const double> state, ObservationRow observation) override;

  // Position and velocity.
  absl::Span<const double> state() const { return state_; }
  void set_state(absl::Span<const double> state);

 private:
  std::array<double, 2> state_ = {};
};

}  // namespace cadre
