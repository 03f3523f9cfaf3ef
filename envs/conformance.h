// Does an environment, wherever it comes from, keep the contract of envs/vector_environment.h? What
// `cadre envs check` runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "envs/environment.h"
#include "envs/vector_environment.h"

namespace cadre {

// `count` environments, not yet reset.
using VectorEnvironmentFactory =
    std::function<absl::StatusOr<std::unique_ptr<VectorEnvironment>>(int64_t count)>;

// What is wrong with a spec, in words: names, shapes, bounds, actions. Empty where nothing is.
std::vector<std::string> SpecFaults(const EnvironmentSpec& spec);

struct Conformance {
  std::vector<std::string> faults;  // In words; empty where the environment conforms.
  int64_t steps = 0;                // Played, of all environments together.
  int64_t episodes = 0;             // That ended in them.
};

// Plays random actions: bounds, numbers, masks, ends, time limits, wrong actions, and that the same
// seed gives the same episodes. `steps` of each of a few environments.
Conformance CheckEnvironment(const VectorEnvironmentFactory& make, int64_t steps);

}  // namespace cadre
