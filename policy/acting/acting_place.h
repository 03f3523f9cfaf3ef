// Which of a run's environments a policy explores in. Plain data.
#pragma once

#include <cstdint>

namespace cadre {

// Row i of a batch is environment first_row + i of all the run's.
struct ActingPlace {
  int64_t first_row = 0;
  int64_t all_rows = 1;
};

}  // namespace cadre
