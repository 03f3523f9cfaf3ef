#include "learner/algorithms/optimization/loss_gradient.h"

#include <torch/autograd.h>

namespace cadre {

std::vector<torch::Tensor> LossGradient(
    absl::Span<const torch::Tensor> heads,
    absl::FunctionRef<torch::Tensor(const std::vector<torch::Tensor>&)> loss) {
  torch::AutoGradMode with_graph(true);
  std::vector<torch::Tensor> leaves;
  for (const torch::Tensor& head : heads) leaves.push_back(head.detach().requires_grad_());
  std::vector<torch::Tensor> gradients =
      torch::autograd::grad({loss(leaves)}, leaves, {}, /*retain_graph=*/false,
                            /*create_graph=*/false, /*allow_unused=*/true);
  for (size_t i = 0; i < gradients.size(); ++i)
    gradients[i] =
        gradients[i].defined() ? gradients[i].contiguous() : torch::zeros_like(leaves[i]).detach();
  return gradients;
}

}  // namespace cadre
