// Batches of a replay table to tensors: wrapped where the learner wants them as they
// are, converted where not. Shapes are checked here, where data enters the learner. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/replay_batch.h"
#include "common/spaces.h"
#include "learner/algorithms/off_policy.h"
#include "policy/off_policy_columns.h"

namespace cadre {

// What there is to know of an environment's batches, found once.
struct ReplaySpaces {
  ReplaySpaces(ObservationSpace observation, ActionSpace action);

  ObservationSpace observation;
  ActionSpace action;
  std::vector<ObservationColumn> shown;  // ShownColumns().
  OffPolicyColumns columns;
  std::vector<std::pair<int, std::string>> read;  // Columns that a learner reads, and their names.
};

// INVALID_ARGUMENT where a column is not as OffPolicyColumns has it.
absl::Status CheckReplayColumns(const ReplaySpaces& spaces, const ReplayBatch& batch);

// The tensors look at the batch's memory: it must outlive them. INVALID_ARGUMENT as
// CheckReplayColumns, or where an action is not one of the space's. Whether numbers are finite
// was seen to before (usable_items.h).
absl::StatusOr<OffPolicyBatch> CollateReplay(const ReplaySpaces& spaces, const ReplayBatch& batch);

}  // namespace cadre
