#include "learner/algorithms/optimization/head_gradient.h"

#include <cmath>

namespace cadre {
namespace {

double GradientOfChoice(absl::Span<const float> log_probs, int64_t action, double slope,
                        double entropy_coefficient, double scale, absl::Span<float> probs,
                        absl::Span<float> out) {
  const int64_t actions = static_cast<int64_t>(log_probs.size());
  double entropy = 0;
  for (int64_t j = 0; j < actions; ++j) {
    probs[j] = std::exp(log_probs[j]);
    entropy -= static_cast<double>(probs[j]) * log_probs[j];
  }
  for (int64_t j = 0; j < actions; ++j) {
    double g = slope * ((j == action) - probs[j]);
    g += entropy_coefficient * probs[j] * (log_probs[j] + entropy);
    out[j] = static_cast<float>(g * scale);
  }
  return entropy;
}

}  // namespace

double CategoricalHeadGradient(absl::Span<const int64_t> counts, absl::Span<const float> log_probs,
                               absl::Span<const int64_t> action, double slope,
                               double entropy_coefficient, double scale, absl::Span<float> probs,
                               absl::Span<float> out) {
  double entropy = 0;
  int64_t first = 0;
  for (size_t k = 0; k < counts.size(); ++k) {
    entropy +=
        GradientOfChoice(log_probs.subspan(first, counts[k]), action[k], slope, entropy_coefficient,
                         scale, probs.subspan(first, counts[k]), out.subspan(first, counts[k]));
    first += counts[k];
  }
  return entropy;
}

float CategoricalLogProb(absl::Span<const int64_t> counts, absl::Span<const float> log_probs,
                         absl::Span<const int64_t> action) {
  float log_prob = 0;
  int64_t first = 0;
  for (size_t k = 0; k < counts.size(); ++k) {
    log_prob += log_probs[first + action[k]];
    first += counts[k];
  }
  return log_prob;
}

void GaussianHeadGradient(absl::Span<const float> mean, absl::Span<const float> log_std,
                          absl::Span<const float> action, double slope, double scale,
                          absl::Span<float> out, absl::Span<float> log_std_out) {
  for (size_t a = 0; a < mean.size(); ++a) {
    const double inverse_std = std::exp(-static_cast<double>(log_std[a]));
    const double z = (action[a] - mean[a]) * inverse_std;
    out[a] = static_cast<float>(slope * z * inverse_std * scale);
    log_std_out[a] += static_cast<float>(slope * (z * z - 1) * scale);
  }
}

}  // namespace cadre
