// The policy of DDPG and TD3 as it learns: mu(s) = tanh(network(s)) in [-1, 1]^A, its
// gradient through the actions that it chose (Silver et al. 2014, theorem 1), and its
// target. Not thread-safe.
#pragma once

#include <vector>

#include <torch/types.h>

#include "learner/algorithms/trained_networks.h"
#include "policy/off_policy_network.h"

namespace cadre {

class DeterministicPolicy {
 public:
  DeterministicPolicy(const ContinuousPolicyNetwork& network, const std::vector<float>& initial,
                      double adam_epsilon, torch::Device device);

  // mu(s) and the target's, of `observations` [B, O]. Each [B, A], valid until the next of
  // its kind; the target's may be written to.
  const torch::Tensor& Actions(const torch::Tensor& observations);
  torch::Tensor& TargetActions(const torch::Tensor& observations);

  // The parameters' gradient, from that with respect to the last Actions, [B, A].
  void Backward(const torch::Tensor& action_gradient);

  TrainedNetworks& networks() { return networks_; }
  const TrainedNetworks& networks() const { return networks_; }

 private:
  TrainedNetworks networks_;
  torch::Tensor actions_, target_actions_;    // [B, A]
  std::vector<torch::Tensor> head_gradient_;  // [B, A], of the only network.
};

}  // namespace cadre
