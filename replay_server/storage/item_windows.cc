#include "replay_server/storage/item_windows.h"

#include <algorithm>

namespace cadre {

int64_t CompleteWindows(const WindowShape& shape, int64_t steps, bool ended, OpenWindows* windows) {
  // From the oldest start, open or new, to the new end; none if not positive. The others
  // are `period` apart.
  const int64_t oldest =
      windows->open_steps > 0 ? windows->open_steps + steps : steps - windows->until_start;
  const int64_t starts = oldest > 0 ? (oldest + shape.period - 1) / shape.period : 0;
  if (ended) {
    *windows = {};
    return starts;
  }
  const int64_t complete =
      oldest >= shape.length ? (oldest - shape.length) / shape.period + 1 : int64_t{0};
  windows->open_steps = std::max<int64_t>(0, oldest - complete * shape.period);
  windows->until_start = starts * shape.period - oldest;
  return complete;
}

}  // namespace cadre
