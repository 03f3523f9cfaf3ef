// BipedalWalker-v3 and BipedalWalkerHardcore-v3: a hull on two legs of two segments walks to
// the right by the torques of four joints, and sees the ground ahead by ten rays. Equal to
// Gymnasium 1.x's, whose constants it has, but for the version of Box2D (see envs/README.md).
// No SetState: the contacts and impulses that Box2D keeps from step to step cannot be set.
#pragma once

#include <memory>

#include "envs/environment.h"

namespace cadre {

class BipedalWorld;

template <bool kHardcore>
class BasicBipedalWalker final : public Environment {
 public:
  static const EnvironmentSpec& Spec();

  BasicBipedalWalker();
  BasicBipedalWalker(BasicBipedalWalker&&) noexcept;
  ~BasicBipedalWalker() override;

  const EnvironmentSpec& spec() const override { return Spec(); }
  // Includes one step without torque, whose observation is the first one.
  void Reset(Random& random, ObservationRow observation) override;
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override;

 private:
  std::unique_ptr<BipedalWorld> world_;
};

extern template class BasicBipedalWalker<false>;
extern template class BasicBipedalWalker<true>;

using BipedalWalker = BasicBipedalWalker<false>;
using BipedalWalkerHardcore = BasicBipedalWalker<true>;  // With stumps, stairs and pits.

}  // namespace cadre
