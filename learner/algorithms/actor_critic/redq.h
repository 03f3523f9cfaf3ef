// Randomised ensembled double Q-learning (Chen et al. 2021, arXiv:2101.05982, algorithm 1): soft
// actor-critic whose targets take the least of a random subset of many critics, and whose policy
// goes up the mean of all of them.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "learner/algorithms/off_policy.h"
#include "proto/config.pb.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeRedq(
    const RedqConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where);

}  // namespace cadre
