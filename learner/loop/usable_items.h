// Items of a replay batch that a learner cannot use: with a value that is not finite, or an
// action that the space lacks. Tables refuse such rollouts, but one that was filled by an
// older server may hold some. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/experience/replay_batch.h"
#include "learner/batches/replay_collate.h"

namespace cadre {

struct UsableItems {
  // As large as before, with usable items repeated in place of the others; without items if
  // none is usable. Keys are as they were.
  ReplayBatch batch;
  std::vector<int64_t> unusable;  // Positions in the batch.
  std::string reason;             // Why the first one is unusable.
};

// A batch whose columns are not as OffPolicyColumns has them comes back as it is, for
// CollateReplay to say so.
UsableItems KeepUsable(const ReplaySpaces& spaces, ReplayBatch batch);

}  // namespace cadre
