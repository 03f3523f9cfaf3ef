// The environments that a config can name, wherever they come from, with their wrappers. The
// native ones alone are in registry.h.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "envs/environment.h"
#include "envs/vector_environment.h"
#include "proto/config.pb.h"

namespace cadre {

// What the agent sees of `config`'s environment: its wrappers and its time limit are in the spec.
// What is not native may be started for it once; the process remembers its answer. NOT_FOUND or
// INVALID_ARGUMENT where there is no such environment, UNAVAILABLE where it could not be started.
absl::StatusOr<EnvironmentSpec> FindEnvironment(const EnvironmentConfig& config);

// `count` copies of it, at least 1.
absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeVectorEnvironment(
    const EnvironmentConfig& config, int64_t count);

}  // namespace cadre
