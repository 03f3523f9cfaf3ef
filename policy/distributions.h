// Action distributions on plain rows, for acting and for closed-form gradients:
// categorical over D logits, a product of categoricals for several choices at once, and
// diagonal Gaussian with means [A] and log deviations [A]. Pure functions. Their
// LibTorch twins, for autograd, are in torch_distributions.h; a test holds the two together.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "common/random.h"

namespace cadre {

// --- Categorical, logits [D] ---

// log softmax, numerically safe. `out` [D] may be `logits` itself.
void LogSoftmax(absl::Span<const float> logits, absl::Span<float> out);

// An action drawn by inverting the distribution function; `log_probs` [D] are
// normalised. Never one that was masked.
int32_t SampleCategorical(absl::Span<const float> log_probs, Random& random);

int32_t ArgMax(absl::Span<const float> values);

// -sum_i p_i log p_i, in nats.
float CategoricalEntropy(absl::Span<const float> log_probs);

// --- Product of categoricals, choice k over counts[k] of the D = sum(counts) logits ---
// The probability of an action is the product of those of its choices: logarithms and
// entropies add up.

// log softmax of each choice's logits; `out` [D] may be `logits` itself.
void LogSoftmaxOfEach(absl::Span<const int64_t> counts, absl::Span<const float> logits,
                      absl::Span<float> out);

// --- Masks ---

// What is put in place of the logit or the value of an alternative that is not allowed: its
// probability is 0 and it is never the largest, yet sums and products stay finite.
inline constexpr float kMaskedLogit = -1e30f;

// `mask`, empty or as long as `logits`: 0 for what is not allowed.
void MaskLogits(absl::Span<const uint8_t> mask, absl::Span<float> logits);

// --- Diagonal Gaussian, mean [A], log_std [A] ---

// mean + exp(log_std) * standard normal, into `action` [A].
void SampleGaussian(absl::Span<const float> mean, absl::Span<const float> log_std, Random& random,
                    absl::Span<float> action);

// Sum over the dimensions of the log density at `action`.
float GaussianLogProb(absl::Span<const float> mean, absl::Span<const float> log_std,
                      absl::Span<const float> action);

// Sum over the dimensions of log_std + log(2 pi e) / 2, in nats.
float GaussianEntropy(absl::Span<const float> log_std);

}  // namespace cadre
