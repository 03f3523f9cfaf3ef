// Action distributions on plain rows, for acting and for closed-form gradients:
// categorical over D logits, and diagonal Gaussian with means [A] and
// state-independent log deviations [A]. Pure functions. Their LibTorch twins, for
// autograd, are in torch_distributions.h; a test holds the two together.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "common/random.h"

namespace cadre {

// --- Categorical, logits [D] ---

// log softmax, numerically safe. `out` [D] may be `logits` itself.
void LogSoftmax(absl::Span<const float> logits, absl::Span<float> out);

// An action drawn by inverting the distribution function; `log_probs` [D] are
// normalised.
int32_t SampleCategorical(absl::Span<const float> log_probs, Random& random);

int32_t ArgMax(absl::Span<const float> values);

// -sum_i p_i log p_i, in nats.
float CategoricalEntropy(absl::Span<const float> log_probs);

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
