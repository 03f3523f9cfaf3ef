// Deep Q-learning (Mnih et al. 2015, doi:10.1038/nature14236), with its extensions as
// switches: double (van Hasselt et al. 2016), dueling (Wang et al. 2016), distributional
// (Bellemare et al. 2017), squared or Huber loss, copied or averaged targets. n-step
// returns, terminal states and prioritised replay come with the batch: its rewards,
// discounts and weights. With a memory it is R2D2 (Kapturowski et al. 2019), without its rescaling
// of values: batches are sequences, and `replay` says how long and with which n-step returns.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "learner/algorithms/off_policy.h"
#include "proto/config.pb.h"

namespace cadre {

// Actors run the online network, of MakeActionValueNetwork's layout. The diagnostics of
// an update: value_loss (mean over the items, without weights), error (mean of the
// priorities), target_value (mean of the targets), gradient_norm (before clipping) and
// learning_rate.
absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDqn(
    const DqnConfig& config, const ReplayConfig& replay, const ModelConfig& model,
    const ObservationSpace& observation, const ActionSpace& action, Random random,
    const DeviceOptions& where);

}  // namespace cadre
