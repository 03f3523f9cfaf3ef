// A policy and a value function over one flat parameter vector, for on-policy algorithms: forward
// from observations to heads, and backward. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include <torch/types.h>

#include "policy/networks/actor_critic_network.h"
#include "policy/networks/flat_model.h"
#include "policy/networks/model.h"
#include "policy/observation_batch.h"

namespace cadre {

// Outputs of the network for B observations, or gradients with respect to them.
struct Heads {
  torch::Tensor policy;  // [B, D] float32: logits, of each choice in turn, or means.
  torch::Tensor value;   // [B] float32; an undefined gradient is zero.
  // [A] float32, or [B, A] if the deviation depends on the state; undefined for discrete actions.
  torch::Tensor log_std;
  // ActionSpace::counts if there are several choices at once; empty for a single choice.
  std::vector<int64_t> counts = {};
};

inline bool StateDependentDeviation(const Heads& heads) {
  return heads.log_std.defined() && heads.log_std.dim() == 2;
}

// The alternatives of each choice of a discrete action.
inline std::vector<int64_t> CountsOf(const Heads& heads) {
  return heads.counts.empty() ? std::vector<int64_t>{heads.policy.size(1)} : heads.counts;
}

class ActorCritic final : public FlatModel {
 public:
  ActorCritic(ActorCriticNetwork network, Runner runner, torch::Device device = torch::kCPU);
  // `model` runs the same network.
  ActorCritic(ActorCriticNetwork network, std::unique_ptr<Model> model);

  const ActorCriticNetwork& network() const { return network_; }
  const ParameterLayout& layout() const override { return network_.layout(); }
  torch::Tensor parameters() override { return model_->parameters(); }
  void ParametersChanged() override { model_->ParametersChanged(); }
  torch::Tensor gradient() override { return model_->gradient(); }

  // `observations`, normalised, with their sequences if the network has a memory. Logits of what
  // their mask does not allow are masked. The heads carry no graph, are valid until the next call,
  // and must not be written to.
  Heads Forward(const ObservationBatch& observations);

  // Sets gradient() from the loss's gradient with respect to the heads of the last
  // Forward, whose observations must still be alive. Masked logits have none, whatever
  // `gradient` says. May overwrite it.
  void Backward(const Heads& gradient);

  // Only the values, [B]. Does not disturb a later Backward.
  torch::Tensor Values(const ObservationBatch& observations);

  // A separate pass to the value alone.
  std::unique_ptr<Pass> NewValuePass() {
    return model_->NewPass({ActorCriticNetwork::kValue}, Direction::kForwardAndBackward);
  }

 private:
  // What the network reads: the rows of its sequences if it has a memory.
  std::vector<torch::Tensor> Inputs(const ObservationBatch& observations) const;
  // A head by rows of the batch, and a gradient by slots of the last Forward's sequences.
  torch::Tensor RowsOf(const torch::Tensor& head, const ObservationBatch& observations) const;
  torch::Tensor SlotsOf(const torch::Tensor& gradient) const;
  // The part of a flat vector that holds log deviations; undefined for discrete actions.
  torch::Tensor LogStd(const torch::Tensor& flat) const;
  // The gradient with respect to the policy's head as the network has it.
  torch::Tensor PolicyGradient(const Heads& gradient) const;

  const ActorCriticNetwork network_;
  const std::unique_ptr<Model> model_;
  const std::unique_ptr<Pass> both_, values_;
  const std::vector<int64_t> counts_;  // Heads::counts.
  // Of the last Forward.
  torch::Tensor mask_;
  torch::Tensor free_log_std_;  // [B, A], before it is clamped; if it depends on the state.
  torch::Tensor slots_;         // [B]; undefined if the batch was by slots.
  int64_t slot_count_ = 0;
};

}  // namespace cadre
