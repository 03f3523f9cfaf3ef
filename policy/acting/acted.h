// Checks that a policy can choose, and that what it chose is finite. A policy whose parameters are
// finite can still produce actions that are not, once its training has diverged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/spaces.h"

namespace cadre {

// Which policy acted.
struct ActedBy {
  int64_t version = 0;
  int64_t env_steps = 0;  // That it was learned from.
};

// Checks the `actions` [B] that a policy chose and their `log_probs`, [B] or empty. Returns
// DATA_LOSS if a number is not finite, with what there is to do. The environment would return
// INVALID_ARGUMENT, which stands for what a user got wrong.
absl::Status CheckActed(const ActionSpace& space, absl::Span<const std::byte> actions,
                        absl::Span<const float> log_probs, const ActedBy& policy);

// Checks what environments show before a policy acts: INVALID_ARGUMENT if a mask allows nothing
// of some choice. `steps` [B]: that their episodes have had so far.
absl::Status CheckMasks(const ActionSpace& space, absl::string_view environment_id,
                        ShownBlocks shown, absl::Span<const int64_t> steps);

// The env_steps of a policy that has diverged, if `message` is that of CheckActed or has it in
// it: whoever knows where the run's checkpoints are can then tell how to go on.
std::optional<int64_t> DivergedAt(absl::string_view message);

}  // namespace cadre
