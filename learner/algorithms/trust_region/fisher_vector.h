// Products of vectors with the Fisher matrix of a policy, which is the Hessian of the mean
// KL divergence of the old policy from the new one where the two are the same (Kakade
// 2001; Schulman et al. 2015, appendix C). The matrix itself is never formed.
//
// With J the derivative of the heads with respect to the parameters, and M the Hessian of
// the mean KL with respect to the heads, where its gradient is zero:  F = J^T M J  (Schulman
// et al. 2015, appendix C.1). M has a closed form; J and J^T go through autograd, J as the
// derivative of the linear function u -> J^T u. That is the Hessian of the KL to the last
// bit of the mathematics, without the second derivatives of the network that a plain double
// backward pass computes and that vanish.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "policy/networks/actor_critic_network.h"
#include "policy/observation_batch.h"

namespace cadre {

// Not thread-safe.
class FisherVectorProduct {
 public:
  // Of the policy with these `parameters` [P] over B `observations`, which count the same.
  // Neither may change while this lives.
  FisherVectorProduct(const ActorCriticNetwork& network, const torch::Tensor& parameters,
                      const ObservationBatch& observations);

  // F v, [P]; `vector` [P]. Zero where the policy does not depend on a parameter.
  torch::Tensor operator()(const torch::Tensor& vector) const;

 private:
  // M h, per row of the heads; `tangent` [B, D].
  torch::Tensor Metric(const torch::Tensor& tangent) const;

  const int64_t log_std_;              // Its offset, or -1.
  const std::vector<int64_t> counts_;  // Of discrete actions: alternatives of each choice.
  torch::Tensor parameters_;           // [P], a leaf.
  torch::Tensor policy_;               // [B, D], with a graph: the head as the network has it.
  torch::Tensor probabilities_;        // [B, D] of discrete actions.
  // Of continuous ones, M's diagonal times B: [A], 1 / variance of each mean; or if the deviation
  // depends on the state [B, D], that and 2 for each log deviation that is not clamped.
  torch::Tensor precision_;
  torch::Tensor cotangent_;    // u [B, D], a leaf.
  torch::Tensor pulled_back_;  // J^T u [P], with a graph to u.
};

}  // namespace cadre
