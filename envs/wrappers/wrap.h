// The wrappers of a config around any environment, in the order that WrappersConfig says.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "envs/environment.h"
#include "envs/vector_environment.h"
#include "proto/config.pb.h"

namespace cadre {

// What the agent sees of an environment with `spec`. INVALID_ARGUMENT, naming the field, where a
// wrapper cannot do anything: actions that have no bounds to rescale, no float observations, ...
absl::StatusOr<EnvironmentSpec> WrappedSpec(EnvironmentSpec spec, const WrappersConfig& wrappers);

// The wrapped `environment`. Fails as WrappedSpec does.
absl::StatusOr<std::unique_ptr<VectorEnvironment>> Wrap(
    std::unique_ptr<VectorEnvironment> environment, const WrappersConfig& wrappers);

// Truncates episodes after `max_episode_steps` (at least 1), or when `environment` itself does.
std::unique_ptr<VectorEnvironment> LimitTime(std::unique_ptr<VectorEnvironment> environment,
                                             int64_t max_episode_steps);

}  // namespace cadre
