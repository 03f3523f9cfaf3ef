#include "policy/distributions.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cadre {
namespace {

constexpr float kHalfLogTwoPi = 0.91893853320467274178f;

}  // namespace

void LogSoftmax(absl::Span<const float> logits, absl::Span<float> out) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  float sum = 0;
  for (float logit : logits) sum += std::exp(logit - largest);
  const float log_sum = std::log(sum);
  for (size_t i = 0; i < logits.size(); ++i) out[i] = (logits[i] - largest) - log_sum;
}

int32_t SampleCategorical(absl::Span<const float> log_probs, Random& random) {
  const float u = random.UniformFloat();
  float cumulative = 0;
  const int32_t last = static_cast<int32_t>(log_probs.size()) - 1;
  for (int32_t i = 0; i < last; ++i) {
    cumulative += std::exp(log_probs[i]);
    if (u < cumulative) return i;
  }
  // Whatever rounding left over goes to the last one that is allowed.
  int32_t allowed = last;
  while (allowed > 0 && log_probs[allowed] < kMaskedLogit / 2) --allowed;
  return allowed;
}

int32_t ArgMax(absl::Span<const float> values) {
  return static_cast<int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

float CategoricalEntropy(absl::Span<const float> log_probs) {
  float entropy = 0;
  for (float log_prob : log_probs) entropy -= std::exp(log_prob) * log_prob;
  return entropy;
}

void LogSoftmaxOfEach(absl::Span<const int64_t> counts, absl::Span<const float> logits,
                      absl::Span<float> out) {
  int64_t first = 0;
  for (const int64_t count : counts) {
    LogSoftmax(logits.subspan(first, count), out.subspan(first, count));
    first += count;
  }
}

void MaskLogits(absl::Span<const uint8_t> mask, absl::Span<float> logits) {
  for (size_t i = 0; i < mask.size(); ++i)
    if (mask[i] == 0) logits[i] = kMaskedLogit;
}

void SampleGaussian(absl::Span<const float> mean, absl::Span<const float> log_std, Random& random,
                    absl::Span<float> action) {
  for (size_t a = 0; a < mean.size(); ++a)
    action[a] = mean[a] + std::exp(log_std[a]) * static_cast<float>(random.Normal());
}

float GaussianLogProb(absl::Span<const float> mean, absl::Span<const float> log_std,
                      absl::Span<const float> action) {
  float log_prob = 0;
  for (size_t a = 0; a < mean.size(); ++a) {
    const float z = (action[a] - mean[a]) * std::exp(-log_std[a]);
    log_prob -= 0.5f * z * z + log_std[a] + kHalfLogTwoPi;
  }
  return log_prob;
}

float GaussianEntropy(absl::Span<const float> log_std) {
  float entropy = 0;
  for (float s : log_std) entropy += s + 0.5f + kHalfLogTwoPi;
  return entropy;
}

}  // namespace cadre
