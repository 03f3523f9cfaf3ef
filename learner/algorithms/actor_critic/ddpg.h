// Deep deterministic policy gradient (Lillicrap et al. 2016, arXiv:1509.02971): one
// critic, a deterministic policy that climbs it, and targets that follow both.
#pragma once

#include <memory>

#include "learner/algorithms/off_policy.h"

namespace cadre {

// Actions are continuous and bounded. Importance weights are the critic's loss's alone.
// Diagnostics: policy_loss (-Q of the policy's actions), value_loss (squared error),
// mean_q (of the batch's actions), policy_gradient_norm, value_gradient_norm.
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDdpg(
    const DdpgConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where);

}  // namespace cadre
