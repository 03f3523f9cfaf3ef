// REINFORCE (Williams 1992, doi:10.1007/BF00992696), with the rewards that follow each
// action: the gradient of
//   mean over steps of  -w_t (G_t - b_t) log pi(a_t|s_t),   G_t = r_t + gamma G_{t+1},
// over whole episodes, with one of four baselines b. G after a terminal step is 0, and after a
// truncated one the value of the last observation: a value function is learned for that
// whatever the baseline. A baseline that is a mean of returns leaves an episode's own returns
// out: it would follow the action that it is to judge.
//
// An episode that spans several updates was acted by several policies. Each of its steps is
// weighted by w_t = min(kMaxReinforceWeight, pi(a_t|s_t) / mu_t), where pi is the policy that
// learns and mu_t the probability that the actor recorded when it chose a_t; w is 1, up to
// rounding, for the steps of the newest policy. So the expected gradient at s_t, as long as
// the bound is not reached, is that of pi's own action, given what the acting policies did
// before and after it: the states visited, and the returns G_t, are theirs and are not
// corrected. Pure. Not thread-safe.
#pragma once

#include <memory>

#include "absl/types/span.h"
#include "learner/algorithms/optimization/gradient_algorithm.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"
#include "policy/actor_critic.h"
#include "proto/config.pb.h"

namespace cadre {

inline constexpr float kMaxReinforceWeight = 10;

// Its batches are whole episodes (episode_assembler.h), and may hold none. Diagnostics:
// policy_loss, value_loss, entropy; explained_variance, of the returns by the baseline;
// importance_weight, the mean of pi/mu without its bound, and clipped_share, of the steps
// above it; episodes_learned.
std::unique_ptr<GradientAlgorithm> MakeReinforceGradient(const ReinforceConfig& config,
                                                         std::unique_ptr<ActorCritic> model);

// For each step the mean return of all steps of the other episodes: `returns`, `baseline` [N];
// 0 if there is no other episode. The mean is over all learners of `collective`, which
// may be null; each calls it, even without a return. The same holds for the next function.
absl::Status ConstantBaseline(Collective* collective, absl::Span<const float> returns,
                              absl::Span<const SegmentBounds> episodes, absl::Span<float> baseline);

// For step t of each episode the mean return of step t of the other episodes that are so long;
// what ConstantBaseline has if there is none.
absl::Status TimeDependentBaseline(Collective* collective, absl::Span<const float> returns,
                                   absl::Span<const SegmentBounds> episodes,
                                   absl::Span<float> baseline);

}  // namespace cadre
