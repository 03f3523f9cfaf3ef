// Checks that what a policy chose is finite. A policy whose parameters are finite can still
// produce actions that are not, once its training has diverged.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/spaces.h"

namespace cadre {

// Checks the `actions` [B] that the policy of `version` chose and their `log_probs`, [B] or
// empty. Returns DATA_LOSS if a number is not finite. The environment would return
// INVALID_ARGUMENT, which stands for what a user got wrong.
absl::Status CheckActed(const ActionSpace& space, absl::Span<const std::byte> actions,
                        absl::Span<const float> log_probs, int64_t version);

}  // namespace cadre
