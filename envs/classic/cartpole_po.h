// CartPolePO-v1: CartPole-v1 whose observation is the position of the cart and the angle of the
// pole, without their velocities. It takes a memory to balance the pole.
#pragma once

#include "absl/types/span.h"
#include "envs/classic/cartpole.h"
#include "envs/environment.h"

namespace cadre {

class CartPolePo final : public Environment {
 public:
  static const EnvironmentSpec& Spec();

  const EnvironmentSpec& spec() const override { return Spec(); }
  void Reset(Random& random, ObservationRow observation) override;
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override;

 private:
  CartPole whole_;
};

}  // namespace cadre
