// What a trust-region step improves and what bounds it (Schulman et al. 2015,
// arXiv:1502.05477, eq. 14), of B steps:
//   L    = mean(pi(a|s) / q(a|s) A) + c mean(H(pi(.|s)))
//   KL   = mean(KL(pi_old(.|s) || pi(.|s)))
// where q is the policy that acted. Pure.
#pragma once

#include <torch/types.h>

#include "policy/actor_critic.h"

namespace cadre {

struct SurrogateSteps {
  torch::Tensor actions;     // [B] or [B, K] int64, or [B, A] float32
  torch::Tensor log_probs;   // log q [B] float32
  torch::Tensor advantages;  // A [B] float32
};

// L and the mean entropy, []; with a graph where `heads` carry one. `heads.value` is not
// used, here and below.
struct Surrogate {
  torch::Tensor total, entropy;
};
Surrogate ComputeSurrogate(const Heads& heads, const SurrogateSteps& steps,
                           double entropy_coefficient);

// The gradient of L with respect to the heads: `policy` and `log_std`.
Heads SurrogateGradient(const Heads& heads, const SurrogateSteps& steps,
                        double entropy_coefficient);

// The exact KL, [], in nats.
torch::Tensor MeanKl(const Heads& old_heads, const Heads& heads);

// The policy's heads in float64: differences of L and small divergences need it.
Heads InDouble(const Heads& heads);

}  // namespace cadre
