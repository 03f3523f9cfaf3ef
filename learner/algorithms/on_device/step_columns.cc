#include "learner/algorithms/on_device/step_columns.h"

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

bool StepColumns::Assign(const torch::Tensor& observations, const torch::Tensor& actions,
                         const torch::Tensor& log_probs, const torch::Tensor& estimates) {
  bool moved = Assign(observations, observations_);
  moved |= Assign(actions, actions_);
  moved |=
      Assign(torch::cat({log_probs.to(device_).unsqueeze(1), estimates.to(device_)}, 1), numbers_);
  return moved;
}

void StepColumns::Gather(const torch::Tensor& rows, PpoMinibatch& minibatch) {
  GatherRows(observations_, rows, minibatch.observations);
  GatherRows(actions_, rows, minibatch.actions);
  GatherRows(numbers_, rows, gathered_);
  minibatch.log_probs = gathered_.select(1, 0);
  minibatch.advantages = gathered_.select(1, 1);
  minibatch.returns = gathered_.select(1, 2);
  minibatch.values = gathered_.select(1, 3);
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
