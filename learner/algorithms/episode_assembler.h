// Segments to whole episodes: what a rollout's end cut is kept until the rest of its episode
// comes. Steps whose rest can no longer come, since their actor was started anew or a
// rollout in between was dropped, are dropped and counted. Pure. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "absl/status/status.h"
#include "learner/algorithms/on_policy_batch.h"
#include "learner/safetensors.h"

namespace cadre {

// N steps in E episodes, one after the other, on the batches' device.
struct EpisodeBatch {
  torch::Tensor observations;       // [N, O] float32
  torch::Tensor last_observations;  // [E, O] float32: after each episode's last step
  torch::Tensor actions;            // [N] int64, or [N, A] float32
  torch::Tensor rewards;            // [N] float32
  std::vector<SegmentBounds> episodes;

  bool empty() const { return episodes.empty(); }
  int64_t steps() const { return empty() ? 0 : rewards.size(0); }
};

class EpisodeAssembler {
 public:
  // The episodes that end in `batch`, in the order of their last segments. An episode that
  // is truncated ends, too.
  EpisodeBatch Add(const OnPolicyBatch& batch);

  int64_t waiting_steps() const;                            // Of episodes that go on.
  int64_t dropped_steps() const { return dropped_steps_; }  // Since the run began.

  // What waits, under `episodes.*`. DATA_LOSS where something is missing or does not fit.
  void Save(TensorMap& state) const;
  absl::Status Restore(const TensorMap& state);

 private:
  // The beginning of an episode: its segments so far, and the last one's origin.
  struct Beginning {
    SegmentOrigin origin;
    int64_t steps = 0;
    std::vector<torch::Tensor> observations, actions, rewards;
  };
  using Place = std::pair<int32_t, int32_t>;  // Actor, environment.

  // Moves the beginning that a segment of this origin continues to `out`; drops what no
  // segment can continue any more.
  void TakeBeginning(const SegmentOrigin& origin, Beginning& out);

  std::map<Place, Beginning> waiting_;
  int64_t dropped_steps_ = 0;
};

}  // namespace cadre
