// Advantage estimates over segments. Functions on plain rows, pure but for the learners in
// parallel that one of them may ask.
#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "learner/algorithms/optimization/collective.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"

namespace cadre {

// Generalised advantage estimation (Schulman et al. 2016, arXiv:1506.02438, eq. 16):
//   delta_t = r_t + gamma V(s_{t+1}) - V(s_t)
//   A_t     = delta_t + gamma lambda A_{t+1}
// within each segment; V of the observation after a terminal step counts as 0, that
// after a cut or a truncation as it is. The return is A_t + V(s_t).
// `rewards` [N]; `values` [N + S], of each observation row; `advantages`, `returns` [N].
void GeneralizedAdvantage(absl::Span<const float> rewards, absl::Span<const float> values,
                          absl::Span<const SegmentBounds> segments, float gamma, float lambda,
                          absl::Span<float> advantages, absl::Span<float> returns);

// The discounted rewards that follow each step,
//   G_t = r_t + gamma G_{t+1}
// within each segment; G after the last step is `last_values` [S], 0 where terminated.
// `rewards`, `returns` [N].
void RewardToGo(absl::Span<const float> rewards, absl::Span<const float> last_values,
                absl::Span<const SegmentBounds> segments, float gamma, absl::Span<float> returns);

// (A - mean) / (deviation + 1e-8) in place; the unbiased deviation. One alone stays. The
// moments are over all learners of `collective`, which may be null; each calls it, even
// without advantages. Fails only where they lose each other.
absl::Status NormalizeAdvantages(Collective* collective, absl::Span<float> advantages);

// 1 - Var(returns - values) / Var(returns): 1 is a perfect value function, 0 no
// better than a constant. NaN where the returns do not vary.
double ExplainedVariance(absl::Span<const float> values, absl::Span<const float> returns);

}  // namespace cadre
