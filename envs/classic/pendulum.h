// Pendulum-v1: swing a pendulum up and hold it there with a torque too weak to
// lift it at once (after Doya 2000, "Reinforcement learning in continuous time and
// space", section 4.1, with the reward that later work settled on). It never
// terminates. Equal to Gymnasium's.
#pragma once

#include <array>

#include "absl/types/span.h"
#include "envs/environment.h"

namespace cadre {

class Pendulum final : public Environment {
 public:
  static const EnvironmentSpec& Spec();

  const EnvironmentSpec& spec() const override { return Spec(); }
  void Reset(Random& random, ObservationRow observation) override;
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override;
  static void StepAll(absl::Span<Pendulum> environments, const StepAllRows& rows);
  absl::Status SetState(absl::Span<const double> state, ObservationRow observation) override;

  // Angle from upright [rad], never wrapped, and angular velocity [rad/s].
  absl::Span<const double> state() const { return state_; }
  void set_state(absl::Span<const double> state);

 private:
  void Observe(ObservationRow observation) const;

  std::array<double, 2> state_ = {};
};

}  // namespace cadre
