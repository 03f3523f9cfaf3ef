// The one gate through which published parameters enter a policy that acts.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "policy/networks/layout.h"
#include "proto/parameters.pb.h"

namespace cadre {

// The flat vector [P] of a published version. FAILED_PRECONDITION where its size or
// layout is not that of `layout`, the config's network's.
absl::StatusOr<std::vector<float>> PublishedValues(const v1::Parameters& parameters,
                                                   const ParameterLayout& layout);

}  // namespace cadre
