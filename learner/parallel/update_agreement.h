// What learners that move one model together tell each other around an update, so that all
// of them know the run as one learner would: whether all go on, how many steps there were,
// which episodes ended, the largest importance weight, and the moments for normalisation. Every
// learner calls the same functions in the same order. A null collective: this learner is alone.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "learner/algorithms/optimization/collective.h"
#include "learner/run_folder/checkpoint.h"
#include "policy/normalization.h"
#include "proto/experience.pb.h"

namespace cadre {

// What one learner brings to an update, or all together.
struct UpdateShare {
  bool go_on = true;   // False: this learner was asked to stop, and brings nothing.
  bool usable = true;  // False: there is nothing to learn from in what it took.
  int64_t steps = 0;
  int64_t version_lag = 0;  // Of the oldest step.
  // From replay: what this learner was told of the table.
  int64_t inserted_steps = 0;
  int64_t table_items = 0;
  double largest_weight = 0;  // Importance weight in this learner's batch, before any scaling.
  std::vector<v1::Episode> episodes;
};

// All go on or none does, and all learn or none; steps are added; the largest lag and weight;
// the least of what each knows of the table; episodes in the order of ranks.
absl::StatusOr<UpdateShare> CombineShares(Collective* collective, UpdateShare mine);

// Of each learner, in the order of ranks; all are of rows of one size.
absl::StatusOr<std::vector<RowMoments>> GatherMoments(Collective* collective,
                                                      const RowMoments& mine);

// INVALID_ARGUMENT, on each learner, unless all compute on the CPU's kernels or none does:
// the two do not make the same sums. Before any other.
absl::Status AgreeOnKernels(Collective& collective, bool on_cpu_kernels);

// Rank 0's checkpoint, on all; `mine` counts on rank 0 alone.
absl::StatusOr<Checkpoint> CheckpointOfFirst(Collective& collective, const Checkpoint& mine);

}  // namespace cadre
