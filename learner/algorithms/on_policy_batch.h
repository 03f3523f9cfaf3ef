// What an on-policy algorithm learns from: the steps of one update, segment by
// segment. Plain data on the model's device.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

namespace cadre {

// One segment's place in a batch. Its observations are rows
// [first_step + index, first_step + index + length], one more than it has steps,
// where `index` is its position among the segments.
struct SegmentBounds {
  int64_t first_step;
  int64_t length;
  bool terminated;  // Bootstrap from the last observation iff this is false.
};

// N steps in S segments.
struct OnPolicyBatch {
  torch::Tensor observations;      // [N + S, O] float32, normalised
  torch::Tensor observation_rows;  // [N] int64: the row in `observations` of each step
  torch::Tensor actions;           // [N] int64, or [N, A] float32
  torch::Tensor rewards;           // [N] float32, normalised
  torch::Tensor log_probs;         // [N] float32, of the policy that acted
  std::vector<SegmentBounds> segments;

  int64_t steps() const { return rewards.size(0); }
};

}  // namespace cadre
