// The factory of all algorithms that learn from the queue and move the model themselves.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/random.h"
#include "learner/algorithms/algorithm.h"
#include "learner/algorithms/device/device_options.h"
#include "policy/actor_critic.h"
#include "proto/config.pb.h"

namespace cadre {

// That of the config; `model` holds its initial parameters. INVALID_ARGUMENT where the
// config's algorithm does not learn so.
absl::StatusOr<std::unique_ptr<OnPolicyAlgorithm>> MakeOnPolicyAlgorithm(
    const ExperimentConfig& config, std::unique_ptr<ActorCritic> model, Random random,
    const DeviceOptions& where = {});

}  // namespace cadre
