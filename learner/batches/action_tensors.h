// Discrete and continuous actions on their way into tensors: their shape, and whether they are
// of their space. Pure.
#pragma once

#include <cstdint>

#include <torch/types.h>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/spaces.h"

namespace cadre {

// Room for `rows` actions: [rows] int64, [rows, K] int64 of several choices, or [rows, A] float32.
torch::Tensor EmptyActions(const ActionSpace& space, int64_t rows);

// The first of `actions`, [rows, K], that the discrete space lacks; -1 if there is none.
int64_t FirstUnknownChoice(const ActionSpace& space, absl::Span<const int32_t> actions);

// INVALID_ARGUMENT if there is one.
absl::Status CheckDiscreteActions(const ActionSpace& space, absl::Span<const int32_t> actions);

}  // namespace cadre
