// Whether what a policy chose are numbers. A policy whose parameters are finite can still
// produce actions that are not, once its training has diverged.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/spaces.h"

namespace cadre {

// Of `actions` [B] that the policy of `version` chose, and of their `log_probs`, [B] or
// empty. DATA_LOSS if a number is not finite: not the environment's INVALID_ARGUMENT, which
// is for what a user asks for.
absl::Status CheckActed(const ActionSpace& space, absl::Span<const std::byte> actions,
                        absl::Span<const float> log_probs, int64_t version);

}  // namespace cadre
