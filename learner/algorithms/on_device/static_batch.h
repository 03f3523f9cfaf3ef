// A batch in tensors that keep their place from update to update: a recorded graph reads
// what was last copied there. Not thread-safe.
#pragma once

#include <utility>

#include "learner/algorithms/off_policy.h"

namespace cadre {

class StaticBatch {
 public:
  explicit StaticBatch(torch::Device device) : device_(device) {}

  // Copies. True where the tensors are others now, as at first and after a change of size.
  bool Assign(const OffPolicyBatch& batch) {
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
