// Batches of a replay table to tensors: wrapped where the learner wants them as they
// are, converted where not. Shapes and values are checked here, where data enters the
// learner. Pure.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/replay_batch.h"
#include "common/spaces.h"
#include "learner/algorithms/off_policy.h"

namespace cadre {

struct ReplaySpaces {
  ObservationSpace observation;
  ActionSpace action;
};

// The tensors look at the batch's memory: it must outlive them. INVALID_ARGUMENT where a
// column is not as OffPolicyColumns has it, an action is not one of the space's, or a
// number is not finite.
absl::StatusOr<OffPolicyBatch> CollateReplay(const ReplaySpaces& spaces, const ReplayBatch& batch);

}  // namespace cadre
