#include "learner/algorithms/optimization/polyak.h"

#include "common/check.h"

namespace cadre {

void FollowByPolyak(absl::Span<const float> online, float rate, absl::Span<float> target) {
  CADRE_CHECK(online.size() == target.size());
  const float keep = 1.0f - rate;
  const float* from = online.data();
  float* to = target.data();
  const size_t size = target.size();
  for (size_t i = 0; i < size; ++i) to[i] = rate * from[i] + keep * to[i];
}

}  // namespace cadre
