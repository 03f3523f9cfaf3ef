// The Fisher matrix as a notebook would have it: the Hessian of the mean KL divergence, by
// a plain double backward pass, in float64.
#pragma once

#include <vector>

#include <torch/autograd.h>

#include "learner/algorithms/trust_region/surrogate.h"
#include "policy/actor_critic.h"

namespace cadre {

// The policy as a function of all parameters [P], with a graph where they carry one.
inline Heads PolicyWithGraph(const ActorCriticNetwork& network, const torch::Tensor& parameters,
                             const torch::Tensor& observations) {
  torch::AutoGradMode with_graph(true);
  Heads heads;
  heads.policy =
      HeadsWithGraph(network.network, {ActorCriticNetwork::kPolicy}, parameters, {observations})[0];
  if (network.state_dependent_log_std) {
    const int64_t size = network.action.dimensions;
    heads.log_std = heads.policy.narrow(1, size, size)
                        .clamp(network.log_deviation.min, network.log_deviation.max);
    heads.policy = heads.policy.narrow(1, 0, size);
  }
  if (network.log_std >= 0)
    heads.log_std = parameters.narrow(0, network.log_std, network.action.dimensions);
  return heads;
}

inline Heads WithoutGraph(Heads heads) {
  heads.policy = heads.policy.detach();
  if (heads.log_std.defined()) heads.log_std = heads.log_std.detach();
  return heads;
}

// Of mean KL(policy at `old_parameters` || policy at `parameters`) with respect to the
// latter; both [P] float64, as are the observations. With a graph.
inline torch::Tensor KlGradient(const ActorCriticNetwork& network,
                                const torch::Tensor& old_parameters,
                                const torch::Tensor& parameters,
                                const torch::Tensor& observations) {
  torch::AutoGradMode with_graph(true);
  const Heads old_heads = WithoutGraph(PolicyWithGraph(network, old_parameters, observations));
  const torch::Tensor kl = MeanKl(old_heads, PolicyWithGraph(network, parameters, observations));
  return torch::autograd::grad({kl}, {parameters}, {}, /*retain_graph=*/true,
                               /*create_graph=*/true)[0];
}

// [P, P] float64.
inline torch::Tensor DenseFisher(const ActorCriticNetwork& network, const torch::Tensor& parameters,
                                 const torch::Tensor& observations) {
  const torch::Tensor leaf = parameters.detach().to(torch::kFloat64).requires_grad_();
  const torch::Tensor gradient =
      KlGradient(network, leaf.detach(), leaf, observations.to(torch::kFloat64));
  std::vector<torch::Tensor> rows;
  for (int64_t i = 0; i < leaf.size(0); ++i)
    rows.push_back(torch::autograd::grad({gradient[i]}, {leaf}, {}, /*retain_graph=*/true)[0]);
  return torch::stack(rows);
}

}  // namespace cadre
