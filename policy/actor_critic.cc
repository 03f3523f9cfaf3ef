#include "policy/actor_critic.h"

#include <utility>

#include "common/check.h"

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

std::vector<torch::Tensor> ActorCritic::Inputs(const ObservationBatch& observations) const {
  std::vector<torch::Tensor> inputs = observations.columns;
  if (network_.network.state_size() == 0) return inputs;
  CADRE_CHECK(observations.sequences != nullptr);
  const Sequences& sequences = *observations.sequences;
  if (sequences.rows.defined())
    for (torch::Tensor& column : inputs) column = column.index_select(0, sequences.rows);
  inputs.insert(inputs.end(), {sequences.states, sequences.starts});
  return inputs;
}

torch::Tensor ActorCritic::RowsOf(const torch::Tensor& head,
                                  const ObservationBatch& observations) const {
  const Sequences* const sequences = observations.sequences.get();
  if (network_.network.state_size() == 0 || !sequences->slots.defined()) return head;
  return head.index_select(0, sequences->slots);
}

torch::Tensor ActorCritic::SlotsOf(const torch::Tensor& gradient) const {
  if (!slots_.defined() || !gradient.defined()) return gradient;
  torch::Tensor all = torch::zeros({slot_count_, gradient.size(1)}, gradient.options());
  return all.index_copy_(0, slots_, gradient);
}

Heads ActorCritic::Forward(const ObservationBatch& observations) {
  mask_ = observations.mask;
  slots_ = torch::Tensor();
  if (network_.network.state_size() > 0) {
    CADRE_CHECK(observations.sequences != nullptr);
    slots_ = observations.sequences->slots;
    slot_count_ = observations.sequences->starts.size(0);
  }
  const std::vector<torch::Tensor>& heads = both_->Forward(Inputs(observations));
  const torch::Tensor policy = RowsOf(heads[0], observations);
  const torch::Tensor value = RowsOf(heads[1], observations).squeeze(1);
  if (!network_.state_dependent_log_std)
    return {Masked(policy, mask_), value, LogStd(parameters()), counts_};
  const int64_t size = network_.action.dimensions;
  const LogDeviationBounds& bounds = network_.log_deviation;
  free_log_std_ = policy.narrow(1, size, size);
  return {policy.narrow(1, 0, size).contiguous(), value,
          free_log_std_.clamp(bounds.min, bounds.max).contiguous(), counts_};
}

torch::Tensor ActorCritic::PolicyGradient(const Heads& gradient) const {
  if (!network_.state_dependent_log_std) return MaskedGradient(gradient.policy, mask_);
  const LogDeviationBounds& bounds = network_.log_deviation;
  const torch::Tensor& slope = gradient.log_std;
  const torch::Tensor leads_out =
      free_log_std_.gt(bounds.max)
          .logical_and(slope.lt(0))
          .logical_or(free_log_std_.lt(bounds.min).logical_and(slope.gt(0)));
  return torch::cat({gradient.policy, slope.masked_fill(leads_out, 0)}, 1);
}

void ActorCritic::Backward(const Heads& gradient) {
  torch::NoGradGuard no_graph;
  model_->gradient().zero_();
  both_->Backward(
      {SlotsOf(PolicyGradient(gradient)),
       SlotsOf(gradient.value.defined() ? gradient.value.unsqueeze(1) : torch::Tensor())});
  if (network_.log_std >= 0) LogStd(model_->gradient()).copy_(gradient.log_std);
}

torch::Tensor ActorCritic::Values(const ObservationBatch& observations) {
  return RowsOf(values_->Forward(Inputs(observations))[0], observations).squeeze(1);
}

torch::Tensor ActorCritic::LogStd(const torch::Tensor& flat) const {
  if (network_.log_std < 0) return {};
  return flat.narrow(0, network_.log_std, network_.action.dimensions);
}

}  // namespace cadre
