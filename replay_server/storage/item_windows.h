// Where the items of an episode begin and which of them are complete, as the episode
// grows. Pure arithmetic on steps; knows no rows.
#pragma once

#include <cstdint>

#include "common/config/replay_capacity.h"

namespace cadre {

// How far the items of an episode that goes on have come.
struct OpenWindows {
  int64_t open_steps = 0;   // From the oldest start of an incomplete item to the end; 0: none.
  int64_t until_start = 0;  // Steps before the next start.
};

// Adds `steps` to the episode, its last ones if `ended`, and returns how many items
// they complete: the oldest of those that were open or begin in them. `windows` is a
// new episode's afterwards if it ended.
int64_t CompleteWindows(const WindowShape& shape, int64_t steps, bool ended, OpenWindows* windows);

}  // namespace cadre
