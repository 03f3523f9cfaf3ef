// Are all the weights numbers? A NaN that leaves the learner would reach every actor.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace cadre {

// Index of the first float32 (little-endian) in `values` that is infinite or NaN; -1:
// none. Reads memory about as fast as it comes. `values` holds whole float32.
int64_t FirstNonFinite(absl::string_view values);

}  // namespace cadre
