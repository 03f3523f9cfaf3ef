// How target networks follow: an average of the online networks' past parameters
// (Polyak and Juditsky 1992; Lillicrap et al. 2016, section 3). Pure.
#pragma once

#include "absl/types/span.h"

namespace cadre {

// target = rate * online + (1 - rate) * target; both [P]. A rate of 1 copies.
void FollowByPolyak(absl::Span<const float> online, float rate, absl::Span<float> target);

}  // namespace cadre
