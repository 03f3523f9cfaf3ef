// Twin delayed deep deterministic policy gradient (Fujimoto et al. 2018,
// arXiv:1802.09477): DDPG with two critics of which targets take the lesser, smoothed
// targets, and a policy that waits for its critics.
#pragma once

#include <memory>

#include "learner/algorithms/off_policy.h"

namespace cadre {

// Actions are continuous and bounded. Importance weights are the critics' loss's alone.
// `random` smooths the targets. Diagnostics: policy_loss (-Q_1 of the policy's actions)
// and policy_gradient_norm of the last update of the policy, NaN and 0 before the first;
// value_loss (squared errors of both critics), mean_q (of the batch's actions, mean over
// the critics), value_gradient_norm.
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeTd3(
    const Td3Config& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where);

}  // namespace cadre
