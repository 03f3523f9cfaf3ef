#include "learner/algorithms/deterministic_policy.h"

#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

void Squash(const torch::Tensor& head, torch::Tensor& actions) {
  Reserve(actions, head.sizes(), head.device());
  torch::tanh_out(actions, head);
}

}  // namespace

DeterministicPolicy::DeterministicPolicy(const ContinuousPolicyNetwork& network,
                                         const std::vector<float>& initial, double adam_epsilon,
                                         torch::Device device)
    : networks_({network.policy}, initial, adam_epsilon, TrainedNetworks::Target::kPolyak, device),
      head_gradient_(1) {}

const torch::Tensor& DeterministicPolicy::Actions(const torch::Tensor& observations) {
  Squash(networks_.online().Forward(0, observations), actions_);
  return actions_;
}

torch::Tensor& DeterministicPolicy::TargetActions(const torch::Tensor& observations) {
  Squash(networks_.target().Forward(0, observations), target_actions_);
  return target_actions_;
}

void DeterministicPolicy::Backward(const torch::Tensor& action_gradient) {
  Reserve(head_gradient_[0], actions_.sizes(), actions_.device());
  torch::tanh_backward_out(head_gradient_[0], action_gradient, actions_);
  networks_.Backward(head_gradient_);
}

}  // namespace cadre
