#include "learner/algorithms/targets/advantages.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "common/check.h"
#include "common/status_macros.h"
#include "learner/algorithms/optimization/collective_sums.h"

namespace cadre {

void GeneralizedAdvantage(absl::Span<const float> rewards, absl::Span<const float> values,
                          absl::Span<const SegmentBounds> segments, float gamma, float lambda,
                          absl::Span<float> advantages, absl::Span<float> returns) {
  CADRE_CHECK(values.size() == rewards.size() + segments.size());
  CADRE_CHECK(advantages.size() == rewards.size() && returns.size() == rewards.size());
  for (size_t s = 0; s < segments.size(); ++s) {
    const SegmentBounds& segment = segments[s];
    const float* value = &values[segment.first_step + s];  // [length + 1]
    float next_value = segment.terminated ? 0.0f : value[segment.length];
    float advantage = 0;
    for (int64_t t = segment.length - 1; t >= 0; --t) {
      const int64_t step = segment.first_step + t;
      const float delta = rewards[step] + gamma * next_value - value[t];
      advantage = delta + gamma * lambda * advantage;
      advantages[step] = advantage;
      returns[step] = advantage + value[t];
      next_value = value[t];
    }
  }
}

void RewardToGo(absl::Span<const float> rewards, absl::Span<const float> last_values,
                absl::Span<const SegmentBounds> segments, float gamma, absl::Span<float> returns) {
  CADRE_CHECK(last_values.size() == segments.size() && returns.size() == rewards.size());
  for (size_t s = 0; s < segments.size(); ++s) {
    float following = segments[s].terminated ? 0.0f : last_values[s];
    for (int64_t t = segments[s].first_step + segments[s].length - 1; t >= segments[s].first_step;
         --t)
      returns[t] = following = rewards[t] + gamma * following;
  }
}

absl::Status NormalizeAdvantages(Collective* collective, absl::Span<float> advantages) {
  double sums[] = {std::accumulate(advantages.begin(), advantages.end(), 0.0),
                   static_cast<double>(advantages.size())};
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(sums)));
  const auto [sum, n] = sums;
  if (n < 2) return absl::OkStatus();
  const double mean = sum / n;
  double squares[] = {0};
  for (const float a : advantages) squares[0] += (a - mean) * (a - mean);
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(squares)));
  const double scale = 1.0 / (std::sqrt(squares[0] / (n - 1)) + 1e-8);
  for (float& a : advantages) a = static_cast<float>((a - mean) * scale);
  return absl::OkStatus();
}

double ExplainedVariance(absl::Span<const float> values, absl::Span<const float> returns) {
  const double n = static_cast<double>(returns.size());
  double mean_return = 0, mean_error = 0;
  for (size_t i = 0; i < returns.size(); ++i) {
    mean_return += returns[i] / n;
    mean_error += (returns[i] - values[i]) / n;
  }
  double return_variance = 0, error_variance = 0;
  for (size_t i = 0; i < returns.size(); ++i) {
    const double r = returns[i] - mean_return;
    const double e = returns[i] - values[i] - mean_error;
    return_variance += r * r;
    error_variance += e * e;
  }
  if (return_variance == 0) return std::numeric_limits<double>::quiet_NaN();
  return 1.0 - error_variance / return_variance;
}

}  // namespace cadre
