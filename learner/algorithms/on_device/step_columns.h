// The columns of an on-policy batch, one row for each step, in tensors that keep their
// place from update to update although batches differ in length: a recorded graph gathers
// its minibatches from them. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "learner/algorithms/ppo_loss.h"

namespace cadre {

class StepColumns {
 public:
  explicit StepColumns(torch::Device device) : device_(device) {}

  // Copies N steps: `observations` [N, O] and `actions` [N] or [N, A], `log_probs` [N], and
  // `estimates` [N, 3]: advantages, returns and values; from any device. True where the
  // tensors are others now, as at first and where N is beyond what they have room for.
  bool Assign(const torch::Tensor& observations, const torch::Tensor& actions,
              const torch::Tensor& log_probs, const torch::Tensor& estimates);

  // Sets the minibatch's tensors, each allocated on first use, to `rows` [B] int64.
  void Gather(const torch::Tensor& rows, PpoMinibatch& minibatch);

  // [N] int64, without waiting for the device.
  torch::Tensor ToDevice(const std::vector<int64_t>& values) const;

 private:
  bool Assign(const torch::Tensor& from, torch::Tensor& to) const;

  const torch::Device device_;
  torch::Tensor observations_, actions_;  // [room, O], [room] or [room, A]
  torch::Tensor numbers_;                 // [room, 4]: log_probs and estimates.
  torch::Tensor gathered_;                // [B, 4]
};

}  // namespace cadre
