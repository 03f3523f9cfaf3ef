#include "learner/algorithms/trust_region/fisher_vector.h"

#include <torch/autograd.h>

#include "policy/networks/model.h"
#include "policy/torch_distributions.h"

namespace cadre {

using torch::autograd::grad;

FisherVectorProduct::FisherVectorProduct(const ActorCriticNetwork& network,
                                         const torch::Tensor& parameters,
                                         const ObservationBatch& observations)
    : log_std_(network.log_std), counts_(network.action.counts) {
  torch::AutoGradMode with_graph(true);
  parameters_ = parameters.detach().requires_grad_();
  policy_ = Masked(HeadsWithGraph(network.network, {ActorCriticNetwork::kPolicy}, parameters_,
                                  observations.columns)[0],
                   observations.mask);
  const int64_t size = network.action.dimensions;
  if (network.discrete()) {
    probabilities_ = CategoricalProbabilities(policy_.detach(), counts_);
  } else if (network.state_dependent_log_std) {
    const LogDeviationBounds& bounds = network.log_deviation;
    const torch::Tensor free = policy_.detach().narrow(1, size, size);
    const torch::Tensor log_std = free.clamp(bounds.min, bounds.max);
    precision_ = torch::cat({(-2 * log_std).exp(), 2 * log_std.eq(free).to(log_std.dtype())}, 1);
  } else {
    precision_ = (-2 * parameters_.detach().narrow(0, log_std_, size)).exp();
  }
  cotangent_ = torch::zeros_like(policy_).requires_grad_();
  pulled_back_ = grad({policy_}, {parameters_}, {cotangent_}, /*retain_graph=*/true,
                      /*create_graph=*/true)[0];
}

torch::Tensor FisherVectorProduct::operator()(const torch::Tensor& vector) const {
  const torch::Tensor tangent =  // J v, [B, D]
      grad({pulled_back_}, {cotangent_}, {vector}, /*retain_graph=*/true)[0];
  torch::Tensor product =
      grad({policy_}, {parameters_}, {Metric(tangent)}, /*retain_graph=*/true)[0];
  if (log_std_ >= 0) {
    // The log deviations are parameters and heads at once, the same for every row; the KL's
    // second derivative with respect to each is 2.
    const int64_t size = precision_.size(0);
    product.narrow(0, log_std_, size).add_(vector.narrow(0, log_std_, size), 2);
  }
  return product;
}

torch::Tensor FisherVectorProduct::Metric(const torch::Tensor& tangent) const {
  torch::NoGradGuard no_graph;
  const double rows = static_cast<double>(tangent.size(0));
  if (precision_.defined()) return tangent * (precision_ / rows);
  // diag(p) - p p^T for each choice of each row.
  const torch::Tensor weighted = probabilities_ * tangent;
  std::vector<torch::Tensor> means;  // Of `tangent` under p, once for each alternative.
  for (const torch::Tensor& choice : weighted.split_with_sizes(counts_, 1))
    means.push_back(choice.sum(-1, /*keepdim=*/true).expand_as(choice));
  return (weighted - probabilities_ * torch::cat(means, 1)) / rows;
}

}  // namespace cadre
