// Keeps bounded parameters within their bounds (log_deviation.h says which ones and why). Works
// on any device and does not wait for it. Pure.
#pragma once

#include <torch/types.h>

#include "policy/networks/network.h"

namespace cadre {

// Clamps the bounded ones among `parameters` [P].
void ProjectOntoBounds(const Network& network, const torch::Tensor& parameters);

// Zeroes the elements of `gradient` [P] that would lead a parameter out of its bounds, for an
// optimiser elsewhere that does not know them. `parameters` [P] are within their bounds.
void StopAtBounds(const Network& network, const torch::Tensor& parameters,
                  const torch::Tensor& gradient);

}  // namespace cadre
