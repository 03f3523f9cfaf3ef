// V-trace: returns and advantages of a policy pi from segments that another one, mu,
// acted (Espeholt et al. 2018, arXiv:1802.01561, section 4). Pure functions on plain rows.
#pragma once

#include "absl/types/span.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"

namespace cadre {

struct VtraceCoefficients {
  float gamma = 0.99f;
  float rho_bar = 1;
  float c_bar = 1;
  float lambda = 1;
};

// Of each step, [N].
struct VtraceTargets {
  absl::Span<float> values;      // v_t
  absl::Span<float> advantages;  // r_t + gamma v_{t+1} - V(s_t), not yet times rho_t.
  absl::Span<float> weights;     // rho_t
};

// With rho_t = min(rho_bar, pi/mu) and c_t = lambda min(c_bar, pi/mu), eq. 1 and remark 2:
//   delta_t = rho_t (r_t + gamma V(s_{t+1}) - V(s_t))
//   v_s     = V(s_s) + sum_{t >= s} gamma^{t-s} (c_s ... c_{t-1}) delta_t
// within each segment. At its end v is V of the last observation: that after a terminal
// step counts as 0, that after a cut or a truncation as it is.
// `rewards` [N]; `values` [N + S], of each observation row; `ratios` [N], pi(a|s) / mu(a|s).
void Vtrace(absl::Span<const float> rewards, absl::Span<const float> values,
            absl::Span<const float> ratios, absl::Span<const SegmentBounds> segments,
            const VtraceCoefficients& coefficients, const VtraceTargets& out);

}  // namespace cadre
