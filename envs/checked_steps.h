// What an environment that is not Cadre's own may get wrong, found before anybody uses it.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "envs/vector_environment.h"

namespace cadre {

// INTERNAL, naming the environment, the column and the number, unless every float32 that
// environment.observations() has for the environments with `which` [N] is finite, and each of
// their choices has an alternative that its mask allows.
absl::Status CheckObservations(const VectorEnvironment& environment,
                               absl::Span<const uint8_t> which);

// The same of any blocks that an environment with `spec` shows, [which] rows each.
absl::Status CheckShown(const EnvironmentSpec& spec, ShownBlocks blocks,
                        absl::Span<const uint8_t> which);

// INTERNAL unless, moreover, their rewards are finite, and their flags are 0 or 1 and not both 1.
// Before episodes are started anew: observations() has the last of those that ended.
absl::Status CheckStep(const VectorEnvironment& environment, absl::Span<const uint8_t> which);

}  // namespace cadre
