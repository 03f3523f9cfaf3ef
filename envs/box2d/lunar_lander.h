// LunarLander-v3 and LunarLanderContinuous-v3: a lander with two sprung legs and three
// engines is to come to rest on a pad between hills. Equal to Gymnasium 1.x's, whose
// constants it has, but for the version of Box2D (see envs/README.md). No SetState: the
// contacts and impulses that Box2D keeps from step to step cannot be set.
#pragma once

#include <memory>

#include "envs/environment.h"

namespace cadre {

class LunarLanderWorld;

// Gymnasium's keyword arguments. The registered tasks have the defaults.
struct LunarLanderParameters {
  double gravity = -10;           // m/s^2, in (-12, 0).
  bool enable_wind = false;       // Wind and turbulence until a leg touches the ground.
  double wind_power = 15;         // The greatest force, N; 0 to 20.
  double turbulence_power = 1.5;  // The greatest torque, N m; 0 to 2.
};

template <bool kContinuous>
class BasicLunarLander final : public Environment {
 public:
  static const EnvironmentSpec& Spec();

  explicit BasicLunarLander(const LunarLanderParameters& parameters = {});
  BasicLunarLander(BasicLunarLander&&) noexcept;
  ~BasicLunarLander() override;

  const EnvironmentSpec& spec() const override { return Spec(); }
  // Includes one step with the engines off, whose observation is the first one.
  void Reset(Random& random, ObservationRow observation) override;
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override;

 private:
  std::unique_ptr<LunarLanderWorld> world_;
};

extern template class BasicLunarLander<false>;
extern template class BasicLunarLander<true>;

using LunarLander = BasicLunarLander<false>;           // Nothing, left, main, right engine.
using LunarLanderContinuous = BasicLunarLander<true>;  // Main throttle, left or right; in ±1.

}  // namespace cadre
