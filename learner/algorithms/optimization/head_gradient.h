// The gradient of a policy's log-probabilities and entropy with respect to its head, one
// step at a time: what the closed forms of the policy-gradient losses have in common. A
// loss enters by its slope, its derivative with respect to log p(a). With p the softmax of
// the logits, H its entropy, a the action taken, z = (a - mean) / sigma:
//   d log p(a) / d logit_j  = 1[j = a] - p_j         d log p(a) / d mean    = z / sigma
//   d H / d logit_j         = -p_j (log p_j + H)     d log p(a) / d log std = z^2 - 1
//                                                    d H / d log std        = 1
// Pure, on plain rows.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace cadre {

// Of slope log p(a) - entropy_coefficient H, times `scale`, into `out` [D]. `probs` [D]
// becomes exp(log_probs). Returns H in nats. Of several choices, choice k over counts[k] of the
// logits, `action` [K]: each choice by itself, as logarithms and entropies add up.
double CategoricalHeadGradient(absl::Span<const int64_t> counts, absl::Span<const float> log_probs,
                               absl::Span<const int64_t> action, double slope,
                               double entropy_coefficient, double scale, absl::Span<float> probs,
                               absl::Span<float> out);

// log p(a) = sum over choices of log p_k(a_k).
float CategoricalLogProb(absl::Span<const int64_t> counts, absl::Span<const float> log_probs,
                         absl::Span<const int64_t> action);

// Of slope log p(a), times `scale`: into `out` [A] with respect to the means, added to
// `log_std_out` [A]. The entropy is the caller's.
void GaussianHeadGradient(absl::Span<const float> mean, absl::Span<const float> log_std,
                          absl::Span<const float> action, double slope, double scale,
                          absl::Span<float> out, absl::Span<float> log_std_out);

}  // namespace cadre
