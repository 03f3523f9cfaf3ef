// Notices a learned temperature of soft actor-critic that has run into its max_temperature:
// the policy cannot have the target entropy, or the value's errors outrun the rewards. Not
// thread-safe.
#pragma once

#include <string>

#include "learner/algorithms/diagnostics.h"
#include "proto/config.pb.h"

namespace cadre {

class TemperatureBound {
 public:
  explicit TemperatureBound(const ExperimentConfig& config);

  // What to warn of, the first time that `diagnostics` have the temperature at its bound; empty
  // at all other times.
  std::string Warning(const Diagnostics& diagnostics);

 private:
  const std::string algorithm_;
  double bound_;  // Infinite: there is none, or it was warned of.
};

}  // namespace cadre
