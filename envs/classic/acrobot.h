// Acrobot-v1: swing the tip of two hanging links above a line, with a motor at the
// joint between them only (Sutton 1996, "Generalization in reinforcement learning:
// successful examples using sparse coarse coding"; Sutton and Barto 1998, section
// 11.3, whose equations have the terms that the paper left out). Equal to
// Gymnasium's.
#pragma once

#include <array>

#include "absl/types/span.h"
#include "envs/environment.h"

namespace cadre {

class Acrobot final : public Environment {
 public:
  static const EnvironmentSpec& Spec();

  const EnvironmentSpec& spec() const override { return Spec(); }
  void Reset(Random& random, ObservationRow observation) override;
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override;
  static void StepAll(absl::Span<Acrobot> environments, const StepAllRows& rows);
  absl::Status SetState(absl::Span<const double> state, ObservationRow observation) override;

  // Angle of the first link from hanging down and of the second from the first
  // [rad], and their velocities [rad/s].
  absl::Span<const double> state() const { return state_; }
  void set_state(absl::Span<const double> state);

 private:
  void Observe(ObservationRow observation) const;

  std::array<double, 4> state_ = {};
};

}  // namespace cadre
