// One step of a deterministic policy up the values that a critic gives to its actions
// (Silver et al. 2014, theorem 1), as DDPG and TD3 take it: down the mean of
// -Q(s, mu(s)). Not thread-safe.
#pragma once

#include <torch/types.h>

#include "learner/algorithms/critic_input.h"
#include "learner/algorithms/deterministic_policy.h"
#include "learner/algorithms/trained_networks.h"

namespace cadre {

class PolicyAscent {
 public:
  // Q(s, mu(s)) of the first critic. `input` has the observations already, and gets the
  // actions; `observations` [B, O].
  void Forward(const torch::Tensor& observations, TrainedNetworks& critics, CriticInput& input,
               DeterministicPolicy& policy);

  // The gradient of the policy's parameters after Forward of the same; none of the critics'.
  void Backward(TrainedNetworks& critics, const CriticInput& input, DeterministicPolicy& policy);

  // [B, 1], of the last Forward; undefined before the first.
  const torch::Tensor& values() const { return values_; }

 private:
  torch::Tensor values_;           // [B, 1]
  torch::Tensor value_gradient_;   // [B, 1]
  torch::Tensor action_gradient_;  // [B, A]
};

}  // namespace cadre
