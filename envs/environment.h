// One environment: what every task implements, built in or not. It knows no
// clock, no thread and no global random numbers; the same seed and actions give
// the same episode on every machine. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/types/span.h"
#include "common/random.h"
#include "common/spaces.h"

namespace cadre {

struct EnvironmentSpec {
  std::string id;  // "CartPole-v1"
  ObservationSpace observation;
  ActionSpace action;
  int64_t max_episode_steps = 0;  // Truncated after so many steps; 0: never.
  double reward_threshold = std::numeric_limits<double>::quiet_NaN();  // "Solved"; NaN: none.
};

struct StepResult {
  double reward = 0;
  bool terminated = false;  // A terminal state: no bootstrap.
  // The time limit is not here: VectorEnvironment counts steps and truncates.
};

class Environment {
 public:
  virtual ~Environment() = default;

  virtual const EnvironmentSpec& spec() const = 0;

  // Starts an episode and writes its first observation (the spec's dtype and shape).
  virtual void Reset(Random& random, absl::Span<std::byte> observation) = 0;

  // `action`: ActionSpace::bytes() bytes, an int32 in range or float32 [A]. A
  // continuous action outside the bounds is clipped to them. Must not be called after
  // `terminated` before the next Reset.
  virtual StepResult Step(absl::Span<const std::byte> action, Random& random,
                          absl::Span<std::byte> observation) = 0;
};

}  // namespace cadre
