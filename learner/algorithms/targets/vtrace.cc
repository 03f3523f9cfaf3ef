#include "learner/algorithms/targets/vtrace.h"

#include <algorithm>

#include "common/check.h"

namespace cadre {

void Vtrace(absl::Span<const float> rewards, absl::Span<const float> values,
            absl::Span<const float> ratios, absl::Span<const SegmentBounds> segments,
            const VtraceCoefficients& coefficients, const VtraceTargets& out) {
  const size_t steps = rewards.size();
  CADRE_CHECK(values.size() == steps + segments.size() && ratios.size() == steps);
  CADRE_CHECK(out.values.size() == steps && out.advantages.size() == steps &&
              out.weights.size() == steps);
  const float gamma = coefficients.gamma;
  for (size_t s = 0; s < segments.size(); ++s) {
    const SegmentBounds& segment = segments[s];
    const float* value = &values[segment.first_step + s];  // [length + 1]
    float next_value = segment.terminated ? 0.0f : value[segment.length];
    float next_target = next_value;
    // v_s - V(s_s) = delta_s + gamma c_s (v_{s+1} - V(s_{s+1})), remark 1.
    for (int64_t t = segment.length - 1; t >= 0; --t) {
      const int64_t step = segment.first_step + t;
      const float rho = std::min(coefficients.rho_bar, ratios[step]);
      const float c = coefficients.lambda * std::min(coefficients.c_bar, ratios[step]);
      const float delta = rho * (rewards[step] + gamma * next_value - value[t]);
      out.weights[step] = rho;
      out.advantages[step] = rewards[step] + gamma * next_target - value[t];
      next_target = value[t] + delta + gamma * c * (next_target - next_value);
      next_value = value[t];
      out.values[step] = next_target;
    }
  }
}

}  // namespace cadre
