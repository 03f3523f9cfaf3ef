// REINFORCE (Williams 1992, doi:10.1007/BF00992696), with the rewards that follow each
// action: the gradient of
//   mean over steps of  -(G_t - b_t) log pi(a_t|s_t),   G_t = r_t + gamma G_{t+1},
// over whole episodes, with one of four baselines b. Pure. Not thread-safe.
#pragma once

#include <memory>

#include "absl/types/span.h"
#include "learner/algorithms/gradient_algorithm.h"
#include "learner/algorithms/on_policy_batch.h"
#include "policy/actor_critic.h"
#include "proto/config.pb.h"

namespace cadre {

// Episodes that a batch does not end wait for the next ones. A truncated episode's returns
// go on with the value of its last observation where that is learned, and end there else.
std::unique_ptr<GradientAlgorithm> MakeReinforceGradient(const ReinforceConfig& config,
                                                         std::unique_ptr<ActorCritic> model);

// The mean of `returns` [N], for every step: `baseline` [N]. Of all learners of `collective`,
// which may be null; each calls it, even without a return. So the next one.
absl::Status ConstantBaseline(Collective* collective, absl::Span<const float> returns,
                              absl::Span<float> baseline);

// For step t of each episode the mean return of the step t of all episodes that are so long.
absl::Status TimeDependentBaseline(Collective* collective, absl::Span<const float> returns,
                                   absl::Span<const SegmentBounds> episodes,
                                   absl::Span<float> baseline);

}  // namespace cadre
