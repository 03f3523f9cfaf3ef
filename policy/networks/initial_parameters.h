// The parameters that a network starts with, drawn operation by operation; 0 for parameters that
// no operation uses.
#pragma once

#include <vector>

#include "common/random.h"
#include "policy/networks/network.h"

namespace cadre {

// Orthogonal weights (Saxe et al. 2014) times the layer's gain, zero biases. Filters are taken as
// [filters, channels * kernel * kernel]; the weights of recurrent layers have gain 1. Returns [P].
std::vector<float> OrthogonalParameters(const Network& network, Random& random);

// Uniform in +-1/sqrt(n) for weights and biases, where n is the number of inputs of a unit or a
// filter (LeCun et al. 1998), and the number of units of a recurrent layer; what PyTorch's Linear,
// Conv2d, GRU and LSTM do too. Returns [P].
std::vector<float> UniformParameters(const Network& network, Random& random);

}  // namespace cadre
