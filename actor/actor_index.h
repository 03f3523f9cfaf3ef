// The index of an actor that nobody numbers, such as a pod of a Deployment. Pure.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace cadre {

// From its name: spread evenly over any few shards, replicas or learners, and as good as never
// that of another name. Always the same for a name. For learner `learner` of `learners`
// (run_topology.h); any of them where that is negative.
int32_t ActorIndexOf(absl::string_view name, int32_t learners, int32_t learner);

}  // namespace cadre
