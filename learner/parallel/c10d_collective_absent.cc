// In place of c10d_collective.cc where LibTorch comes without gloo or its headers.
#include "learner/parallel/c10d_collective.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<Collective>> JoinC10d(const C10dOptions& /*options*/) {
  return absl::UnimplementedError(
      "the LibTorch that this was built with has no gloo, so learners cannot work together as "
      "processes; build with Debian's libtorch-dev and libgloo-dev, or set learners.count to 1");
}

}  // namespace cadre
