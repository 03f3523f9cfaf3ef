// Values of versions that came as something else than float32. Pure.
#pragma once

#include "absl/status/status.h"
#include "proto/parameters.pb.h"

namespace cadre {

// Turns `parameters` into float32, in place. INVALID_ARGUMENT for an encoding that is not
// known here, or half a value.
absl::Status WidenValues(v1::Parameters* parameters);

}  // namespace cadre
