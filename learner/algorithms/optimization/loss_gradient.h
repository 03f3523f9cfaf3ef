// The gradient of a loss with respect to a network's heads, with autograd. Pure.
#pragma once

#include <vector>

#include <torch/types.h>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"

namespace cadre {

// `loss` maps heads that carry a graph to a scalar []. Returns the gradient with respect to each
// of `heads`, in its shape; zeros if the loss does not depend on it.
std::vector<torch::Tensor> LossGradient(
    absl::Span<const torch::Tensor> heads,
    absl::FunctionRef<torch::Tensor(const std::vector<torch::Tensor>&)> loss);

}  // namespace cadre
