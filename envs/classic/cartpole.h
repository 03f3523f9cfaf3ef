// CartPole-v1: keep a pole upright on a cart by pushing the cart left or right
// (Barto, Sutton and Anderson 1983, "Neuronlike adaptive elements that can solve
// difficult learning control problems", IEEE SMC-13). Equal to Gymnasium's.
#pragma once

#include <array>

#include "absl/types/span.h"
#include "envs/environment.h"

namespace cadre {

class CartPole final : public Environment {
 public:
  static const EnvironmentSpec& Spec();

  const EnvironmentSpec& spec() const override { return Spec(); }
  void Reset(Random& random, ObservationRow observation) override;
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override;
  static void StepAll(absl::Span<CartPole> environments, const StepAllRows& rows);
  absl::Status SetState(absl::Span<const double> state, ObservationRow observation) override;

  // Position [m], velocity [m/s], angle from upright [rad], angular velocity [rad/s].
  absl::Span<const double> state() const { return state_; }
  void set_state(absl::Span<const double> state);

 private:
  std::array<double, 4> state_ = {};
};

}  // namespace cadre
