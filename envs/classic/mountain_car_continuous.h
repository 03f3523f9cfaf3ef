// MountainCarContinuous-v0: the mountain car (Moore 1990, PhD thesis, Cambridge)
// with a force in [-1, 1] that costs its square, and a prize at the top.
//
// Equal to Gymnasium's, its single precision included, for actions in the bounds.
// Outside them Gymnasium clips the force but charges for the action as given;
// here, as in every Cadre environment, the action itself is clipped first.
#pragma once

#include <array>

#include "absl/types/span.h"
#include "envs/environment.h"

namespace cadre {

class MountainCarContinuous final : public Environment {
 public:
  static const EnvironmentSpec& Spec();

  const EnvironmentSpec& spec() const override { return Spec(); }
  void Reset(Random& random, ObservationRow observation) override;
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override;
  static void StepAll(absl::Span<MountainCarContinuous> environments, const StepAllRows& rows);
  absl::Status SetState(absl::Span<const double> state, ObservationRow observation) override;

  // Position and velocity: float64 after Reset, float32 values after any Step.
  absl::Span<const double> state() const { return state_; }
  void set_state(absl::Span<const double> state);

 private:
  std::array<double, 2> state_ = {};
};

}  // namespace cadre
