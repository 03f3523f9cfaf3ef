// Segments to whole episodes: what a rollout's end cut is kept until the rest of its episode
// comes. Each step keeps the log-probability and the version of the policy that acted, and
// observations and rewards are kept as they came: whoever learns from an episode normalises
// all of it with the same, newest, statistics. Steps whose rest can no longer come, since
// their actor was started anew or a rollout in between was dropped, are dropped and counted.
// Pure. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "absl/status/status.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"
#include "learner/run_folder/safetensors.h"

namespace cadre {

class EpisodeAssembler {
 public:
  // The episodes that end in `batch`, each one segment, in the order of their last segments.
  // An episode that is truncated ends, too. Without any, all columns have 0 rows. `batch` is
  // on the CPU, with observations and rewards as they came.
  OnPolicyBatch Add(const OnPolicyBatch& batch);

  int64_t waiting_steps() const;                            // Of episodes that go on.
  int64_t dropped_steps() const { return dropped_steps_; }  // Since the run began.

  // What waits, under `episodes.*`. DATA_LOSS if something is missing or does not fit.
  void Save(TensorMap& state) const;
  absl::Status Restore(const TensorMap& state);

 private:
  // Pieces of each column of a batch, one after the other. Observations: by tensor of
  // ObservationBatch::tensors().
  struct Columns {
    std::vector<std::vector<torch::Tensor>> observations;
    std::vector<torch::Tensor> actions, rewards, log_probs, versions;

    void Add(const Columns& more);
    // What is kept must not keep the whole batch alive.
    void Own();
  };
  // The beginning of an episode: its steps so far, and its last segment's origin.
  struct Beginning {
    SegmentOrigin origin;
    int64_t steps = 0;
    Columns columns;
  };
  using Place = std::pair<int32_t, int32_t>;  // Actor, environment.

  // Moves the beginning that a segment of this origin continues to `out`; drops what no
  // segment can continue any more.
  void TakeBeginning(const SegmentOrigin& origin, Beginning& out);
  static OnPolicyBatch Join(const OnPolicyBatch& like, const Columns& columns,
                            std::vector<SegmentBounds> episodes);

  std::map<Place, Beginning> waiting_;
  int64_t dropped_steps_ = 0;
};

}  // namespace cadre
