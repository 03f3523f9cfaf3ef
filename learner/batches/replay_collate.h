// Batches of a replay table to tensors: wrapped where the learner wants them as they
// are, converted where not. Shapes are checked here, where data enters the learner. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/experience/replay_batch.h"
#include "common/spaces.h"
#include "learner/algorithms/off_policy.h"
#include "policy/off_policy_columns.h"

namespace cadre {

// What there is to know of the items of a table, found once.
struct ReplaySpaces {
  ReplaySpaces(ObservationSpace observation, ActionSpace action, int64_t steps = 0,
               int64_t state_size = 0, bool normalizes_rewards = false);

  ObservationSpace observation;
  ActionSpace action;
  int64_t steps;                         // L of sequences; 0 of transitions.
  int64_t state_size;                    // M of sequences.
  std::vector<ObservationColumn> shown;  // ShownColumns().
  OffPolicyColumns columns;
  std::vector<std::pair<int, std::string>> read;  // Columns that a learner reads, and their names.

  bool sequences() const { return steps > 0; }
};

// INVALID_ARGUMENT where a column is not as OffPolicyColumns has it.
absl::Status CheckReplayColumns(const ReplaySpaces& spaces, const ReplayBatch& batch);

// The tensors of transitions look at the batch's memory: it must outlive them; those of sequences
// are copies, step by step. INVALID_ARGUMENT as
// CheckReplayColumns, or where an action is not one of the space's. Whether numbers are finite
// was seen to before (usable_items.h).
absl::StatusOr<OffPolicyBatch> CollateReplay(const ReplaySpaces& spaces, const ReplayBatch& batch);

// The discounted return of each step, [B] or [L B] float32, in the order of CollateReplay's
// rewards; undefined if there is no such column. `batch` is one that CollateReplay has accepted.
torch::Tensor DiscountedReturns(const ReplaySpaces& spaces, const ReplayBatch& batch);

}  // namespace cadre
