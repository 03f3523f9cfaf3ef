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
    bool moved = false;
    for (torch::Tensor OffPolicyBatch::*column :
         {&OffPolicyBatch::observations, &OffPolicyBatch::actions, &OffPolicyBatch::rewards,
          &OffPolicyBatch::next_observations, &OffPolicyBatch::discounts,
          &OffPolicyBatch::weights}) {
      const torch::Tensor& from = batch.*column;
      torch::Tensor& to = batch_.*column;
      if (!to.defined() || to.sizes() != from.sizes()) {
        to = torch::empty(from.sizes(), from.options().device(device_));
        moved = true;
      }
      to.copy_(from, /*non_blocking=*/true);
    }
    return moved;
  }

  const OffPolicyBatch& get() const { return batch_; }

 private:
  const torch::Device device_;
  OffPolicyBatch batch_;
};

}  // namespace cadre
