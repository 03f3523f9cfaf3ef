// A batch whose tensors keep their addresses from update to update, so that a recorded graph
// reads what was copied there last. On the CPU, where nothing is recorded, it is the caller's batch
// itself. Not thread-safe.
#pragma once

#include <utility>

#include "learner/algorithms/off_policy.h"

namespace cadre {

class StaticBatch {
 public:
  explicit StaticBatch(torch::Device device) : device_(device) {}

  // Returns true if recorded graphs are invalid now, as after a change of size. On the CPU the
  // caller's batch must outlive its use.
  bool Assign(const OffPolicyBatch& batch) {
    if (device_.is_cpu()) {
      batch_ = batch;
      return false;
    }
    bool moved = Copy(batch.observations, batch_.observations);
    moved |= Copy(batch.next_observations, batch_.next_observations);
    for (const auto tensor : kBatchTensors)
      if ((batch.*tensor).defined()) moved |= Copy(batch.*tensor, batch_.*tensor);
    return moved;
  }

  const OffPolicyBatch& get() const { return batch_; }

 private:
  bool Copy(const torch::Tensor& from, torch::Tensor& to) const {
    const bool moved = !to.defined() || to.sizes() != from.sizes();
    if (moved) to = torch::empty(from.sizes(), from.options().device(device_));
    to.copy_(from, /*non_blocking=*/true);
    return moved;
  }
  bool Copy(const ObservationBatch& from, ObservationBatch& to) const {
    to.columns.resize(from.columns.size());
    bool moved = false;
    for (size_t c = 0; c < from.columns.size(); ++c) moved |= Copy(from.columns[c], to.columns[c]);
    if (from.mask.defined()) moved |= Copy(from.mask, to.mask);
    return moved;
  }

  const torch::Device device_;
  OffPolicyBatch batch_;
};

}  // namespace cadre
