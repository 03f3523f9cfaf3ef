// What the algorithm of a config is: the option of its message in proto/config.proto. Of resolved
// or unresolved configs; pure.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "proto/config.pb.h"
#include "proto/options.pb.h"

namespace cadre {

// If the config has no algorithm, those of an on-policy actor-critic that can do nothing else.
const AlgorithmTraits& TraitsOf(const ExperimentConfig& config);

bool Allows(const AlgorithmTraits& traits, AlgorithmTraits::Actions actions);

// The names of the algorithms of which `holds` is true, separated by commas.
std::string AlgorithmsOf(absl::FunctionRef<bool(const AlgorithmTraits&)> holds);

}  // namespace cadre
