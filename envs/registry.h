// The environments by name. The table is in registry.cc, in plain sight: nothing
// registers itself. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "envs/environment.h"
#include "envs/vector_environment.h"

namespace cadre {

// Sorted by id.
std::vector<EnvironmentSpec> RegisteredEnvironments();

// NOT_FOUND, with the known ids and the nearest one, where there is no such `id`. Making one that
// needs what this build does not have is a FAILED_PRECONDITION.
absl::StatusOr<EnvironmentSpec> FindEnvironment(absl::string_view id);
absl::StatusOr<std::unique_ptr<Environment>> MakeEnvironment(absl::string_view id);

// `count` copies. `max_episode_steps` 0: as the spec says. INVALID_ARGUMENT where
// a number is out of range.
absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeVectorEnvironment(
    absl::string_view id, int64_t count, int64_t max_episode_steps = 0);

}  // namespace cadre
