// What an on-policy algorithm learns from: the steps of one update, segment by
// segment. Plain data on the model's device.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "policy/observation_batch.h"

namespace cadre {

// Where a segment comes from. The segments of one environment come in order, and what
// is missing between two of them shows in their sequence numbers.
struct SegmentOrigin {
  int32_t actor = 0;
  int32_t environment = 0;  // Within its actor.
  uint64_t writer_id = 0;   // Of the actor's life: in another one the environment is another.
  uint64_t sequence = 0;    // Of the rollout, among the writer's.
};

// One segment's place in a batch. Its observations are rows
// [first_step + index, first_step + index + length], one more than it has steps,
// where `index` is its position among the segments.
struct SegmentBounds {
  int64_t first_step;
  int64_t length;
  bool terminated;  // Bootstrap from the last observation iff this is false.
  // The episode goes on in the environment's next segment.
  bool cut = false;
  SegmentOrigin origin = {};
};

// N steps in S segments.
struct OnPolicyBatch {
  ObservationBatch observations;   // N + S rows, normalised
  torch::Tensor observation_rows;  // [N] int64: the row in `observations` of each step
  torch::Tensor actions;           // [N] or [N, K] int64, or [N, A] float32
  torch::Tensor rewards;           // [N] float32, normalised
  torch::Tensor log_probs;         // [N] float32, of the policy that acted
  torch::Tensor versions;          // [N] int64, of the policy that acted; on the CPU
  // [N, M] float32, what the policy that acted remembered before each step; undefined without a
  // memory. With one, `observations` have their sequences.
  torch::Tensor states;
  std::vector<SegmentBounds> segments;

  int64_t steps() const { return rewards.size(0); }
};

}  // namespace cadre
