#include "policy/actor_critic.h"

#include <utility>

namespace cadre {
namespace {

using Head = ActorCriticNetwork::Head;

}  // namespace

ActorCritic::ActorCritic(ActorCriticNetwork network, Runner runner, torch::Device device)
    : ActorCritic(network, MakeModel(network.network, runner, device)) {}

ActorCritic::ActorCritic(ActorCriticNetwork network, std::unique_ptr<Model> model)
    : network_(std::move(network)),
      model_(std::move(model)),
      both_(model_->NewPass({Head::kPolicy, Head::kValue}, Direction::kForwardAndBackward)),
      values_(model_->NewPass({Head::kValue}, Direction::kForward)),
      counts_(network_.action.kind == ActionSpace::Kind::kDiscrete ? std::vector<int64_t>()
                                                                   : network_.action.counts) {}

Heads ActorCritic::Forward(const ObservationBatch& observations) {
  inputs_ = NetworkInputs(observations.columns);
  mask_ = observations.mask;
  const std::vector<torch::Tensor>& heads = both_->Forward(inputs_);
  return {Masked(heads[0], mask_), heads[1].squeeze(1), LogStd(parameters()), counts_};
}

void ActorCritic::Backward(const Heads& gradient) {
  torch::NoGradGuard no_graph;
  model_->gradient().zero_();
  both_->Backward({MaskedGradient(gradient.policy, mask_),
                   gradient.value.defined() ? gradient.value.unsqueeze(1) : torch::Tensor()});
  if (network_.log_std >= 0) LogStd(model_->gradient()).copy_(gradient.log_std);
}

torch::Tensor ActorCritic::Values(const ObservationBatch& observations) {
  return values_->Forward(NetworkInputs(observations.columns))[0].squeeze(1);
}

torch::Tensor ActorCritic::LogStd(const torch::Tensor& flat) const {
  if (network_.log_std < 0) return {};
  return flat.narrow(0, network_.log_std, network_.action.dimensions);
}

}  // namespace cadre
