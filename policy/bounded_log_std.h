// Keeps the log deviations of an actor-critic, which are parameters, within their bounds
// (policy/log_deviation.h). On any device, without waiting for it. Pure.
#pragma once

#include <torch/types.h>

#include "policy/network.h"

namespace cadre {

// Moves log deviations that are beyond a bound onto it. `parameters` [P]. Nothing for
// discrete actions.
void ProjectLogStd(const ActorCriticNetwork& network, const torch::Tensor& parameters);

// Zeroes what leads a log deviation out of its bounds in `gradient` [P], which somebody else
// will descend who knows no bounds. `parameters` [P], projected.
void StopLogStdAtBounds(const ActorCriticNetwork& network, const torch::Tensor& parameters,
                        const torch::Tensor& gradient);

}  // namespace cadre
