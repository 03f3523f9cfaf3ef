#include "learner/algorithms/device/step_columns.h"

#include <algorithm>

namespace cadre {
namespace {

void GatherRows(const torch::Tensor& source, const torch::Tensor& rows, torch::Tensor& out) {
  std::vector<int64_t> shape = source.sizes().vec();
  shape[0] = rows.size(0);
  if (!out.defined() || out.sizes() != shape) out = torch::empty(shape, source.options());
  torch::index_select_out(out, source, 0, rows);
}

}  // namespace

bool StepColumns::Assign(const torch::Tensor& from, torch::Tensor& to) const {
  if (device_.is_cpu()) {
    to = from;
    return false;
  }
  const int64_t steps = from.size(0);
  const bool moved = !to.defined() || to.size(0) < steps;
  if (moved) {
    std::vector<int64_t> shape = from.sizes().vec();
    shape[0] = steps + steps / 4;  // Lengths vary a little.
    to = torch::zeros(shape, from.options().device(device_));
  }
  to.narrow(0, 0, steps).copy_(from, /*non_blocking=*/true);
  return moved;
}

bool StepColumns::Assign(const OnPolicyBatch& batch, const Estimates& estimates) {
  bool moved = false;
  observations_.columns.resize(batch.observations.columns.size());
  for (size_t c = 0; c < observations_.columns.size(); ++c)
    moved |= Assign(batch.observations.columns[c], observations_.columns[c]);
  if (batch.observations.mask.defined())
    moved |= Assign(batch.observations.mask, observations_.mask);
  moved |= Assign(batch.observation_rows, observation_rows_);
  moved |= Assign(batch.actions, actions_);
  moved |=
      Assign(estimates.log_probs.defined() ? estimates.log_probs : batch.log_probs, log_probs_);
  moved |= Assign(estimates.advantages, advantages_);
  moved |= Assign(estimates.returns, returns_);
  moved |= Assign(estimates.values, values_);
  if (estimates.old_policy.defined()) moved |= Assign(estimates.old_policy, old_policy_);
  if (estimates.old_log_std.defined()) moved |= Assign(estimates.old_log_std, old_log_std_);
  if (estimates.weights.defined()) moved |= Assign(estimates.weights, weights_);
  if (estimates.starts.defined()) {
    moved |= Assign(estimates.starts, starts_);
    moved |= Assign(batch.states, states_);
  }
  return moved;
}

void StepColumns::Gather(const torch::Tensor& rows, int64_t sequences, PpoMinibatch& minibatch) {
  GatherRows(observation_rows_, rows, minibatch_observation_rows_);
  minibatch.observations.columns.resize(observations_.columns.size());
  for (size_t c = 0; c < observations_.columns.size(); ++c)
    GatherRows(observations_.columns[c], minibatch_observation_rows_,
               minibatch.observations.columns[c]);
  if (observations_.mask.defined())
    GatherRows(observations_.mask, minibatch_observation_rows_, minibatch.observations.mask);
  GatherRows(actions_, rows, minibatch.actions);
  GatherRows(log_probs_, rows, minibatch.log_probs);
  GatherRows(advantages_, rows, minibatch.advantages);
  GatherRows(returns_, rows, minibatch.returns);
  GatherRows(values_, rows, minibatch.values);
  if (old_policy_.defined()) GatherRows(old_policy_, rows, minibatch.old_policy);
  if (old_log_std_.defined()) GatherRows(old_log_std_, rows, minibatch.old_log_std);
  if (weights_.defined()) GatherRows(weights_, rows, minibatch.weights);
  if (!starts_.defined()) return;
  GatherRows(starts_, rows, minibatch_sequences_->starts);
  GatherRows(states_, rows.narrow(0, 0, sequences), minibatch_sequences_->states);
  minibatch.observations.sequences = minibatch_sequences_;
}

torch::Tensor StepColumns::ToDevice(const std::vector<int64_t>& values) const {
  // Pinned memory comes from a cache that knows when a copy is done.
  const torch::Tensor host =
      torch::empty({static_cast<int64_t>(values.size())},
                   torch::TensorOptions(torch::kInt64).pinned_memory(device_.is_cuda()));
  std::ranges::copy(values, host.data_ptr<int64_t>());
  return host.to(device_, /*non_blocking=*/true);
}

}  // namespace cadre
