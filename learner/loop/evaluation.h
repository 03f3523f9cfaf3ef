// Plays whole episodes with fixed parameters and frozen statistics. Used for
// `cadre eval` and for periodic evaluation while training.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "proto/config.pb.h"
#include "proto/parameters.pb.h"

namespace cadre {

struct EvaluationOptions {
  int64_t episodes = 100;
  uint64_t seed = 1;
  bool stochastic = false;  // Sample actions instead of taking the most probable.
  // Asked before each step of all environments; true ends it with CANCELLED. May be null.
  std::function<bool()> stop;
};

struct Evaluation {
  double mean_return = 0;
  double std_return = 0;  // Population deviation.
  double mean_length = 0;
  int64_t episodes = 0;
};

// One episode in each of `episodes` environments, so that short episodes do not
// count more often than long ones. The same options give the same numbers.
absl::StatusOr<Evaluation> Evaluate(const ExperimentConfig& config,
                                    const v1::Parameters& parameters,
                                    const EvaluationOptions& options);

}  // namespace cadre
