// From the outputs of an ActionValueNetwork to the value of each action. Pure
// functions on rows; an action's atoms stand together.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace cadre {

// q = v + a - mean over the actions of a, for each atom (Wang et al. 2016, eq. 9).
// `state_values` [B, atoms]; `advantages` [B, n * atoms] become q.
void AddStateValues(absl::Span<const float> state_values, int64_t actions, int64_t atoms,
                    absl::Span<float> advantages);

// The gradients of both from that of q: d v = sum over the actions of d q, and d a = d q minus
// its mean over the actions, in place of d q. `gradient` [B, n * atoms], `state_values`
// [B, atoms].
void StateValueGradient(absl::Span<float> gradient, int64_t actions, int64_t atoms,
                        absl::Span<float> state_values);

// sum_i z_i softmax(logits)_i over the atoms z_i, `atoms` >= 2 of them spread evenly from
// `min_value` to `max_value` (Bellemare et al. 2017, section 4.1). `logits`
// [rows, atoms], `values` [rows].
void ExpectedValues(absl::Span<const float> logits, int64_t atoms, double min_value,
                    double max_value, absl::Span<float> values);

}  // namespace cadre
