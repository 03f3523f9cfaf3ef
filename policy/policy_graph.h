// The policy as a function of all parameters, differentiable as often as one likes: for
// algorithms that need more than one gradient of a loss, such as products with the Fisher
// matrix. Slower than ActorCritic. Pure.
#pragma once

#include <torch/types.h>

#include "policy/actor_critic.h"

namespace cadre {

// `parameters` [P] float32, flat; `observations` [B, O] float32, normalised. The heads, of
// which `value` is undefined, carry a graph where `parameters` do.
Heads PolicyWithGraph(const ActorCriticNetwork& network, const torch::Tensor& parameters,
                      const torch::Tensor& observations);

}  // namespace cadre
