// The columns of an on-policy batch, one row for each step, from which minibatches are gathered.
// On the CPU they are the batch's own tensors; on a device they are copies that keep their
// addresses although batches differ in length, so that a recorded graph can gather from them. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/types.h>

#include "learner/algorithms/policy_gradient/on_policy_batch.h"
#include "learner/algorithms/policy_gradient/ppo_loss.h"

namespace cadre {

class StepColumns {
 public:
  explicit StepColumns(torch::Device device) : device_(device) {}

  // What the algorithm adds to the columns of N steps.
  struct Estimates {
    torch::Tensor advantages, returns, values;  // [N]
    torch::Tensor old_policy;                   // [N, D], or undefined.
    torch::Tensor old_log_std;                  // [N, A], or undefined.
    // [N], or undefined: what the ratios are taken to, instead of the policy that acted, and the
    // weights of the steps.
    torch::Tensor log_probs, weights;
    // With a memory, else undefined: [N] of StartsOfSteps.
    torch::Tensor starts;
  };
  // From any device. Returns true if recorded graphs are invalid now, as after a batch longer
  // than all before it.
  bool Assign(const OnPolicyBatch& batch, const Estimates& estimates);

  // Sets the minibatch's tensors to the rows `rows` [B] int64; allocates them on first use. With a
  // memory they are those of `sequences` sequences, step by step.
  void Gather(const torch::Tensor& rows, int64_t sequences, PpoMinibatch& minibatch);

  // [N] int64, without waiting for the device.
  torch::Tensor ToDevice(const std::vector<int64_t>& values) const;

 private:
  bool Assign(const torch::Tensor& from, torch::Tensor& to) const;

  const torch::Device device_;
  ObservationBatch observations_;   // `room` rows, all observations.
  torch::Tensor observation_rows_;  // [room] int64, the observation row of each step.
  torch::Tensor starts_, states_, actions_, log_probs_, advantages_, returns_, values_, old_policy_,
      old_log_std_, weights_;                 // [room, ...]
  torch::Tensor minibatch_observation_rows_;  // [B]
  const std::shared_ptr<Sequences> minibatch_sequences_ = std::make_shared<Sequences>();
};

}  // namespace cadre
