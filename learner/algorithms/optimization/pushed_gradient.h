// The factory of all algorithms whose gradients the parameter server applies: asynchronous
// advantage actor-critic, n-step Q-learning and n-step SARSA (Mnih et al. 2016,
// arXiv:1602.01783).
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/random.h"
#include "common/spaces.h"
#include "learner/algorithms/device/device_options.h"
#include "learner/algorithms/optimization/gradient_algorithm.h"
#include "proto/config.pb.h"

namespace cadre {

// That of the config, with initial parameters drawn from `random`. INVALID_ARGUMENT where
// the config's algorithm does not learn so, or its network does not fit the spaces.
absl::StatusOr<std::unique_ptr<BatchGradient>> MakePushedGradient(
    const ExperimentConfig& config, const ObservationSpace& observation, const ActionSpace& action,
    Random random, const DeviceOptions& where = {});

// Of the parameter server. `config` resolved or not; one of MakePushedGradient's.
const OptimizerConfig& PushedOptimizer(const ExperimentConfig& config);

}  // namespace cadre
