#include "envs/wrappers/rewards.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/status_macros.h"

namespace cadre {

ChangedRewards::ChangedRewards(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec,
                               double scale, double clip)
    : EnvironmentWrapper(std::move(inner), std::move(spec)),
      scale_(scale),
      clip_(clip > 0 ? clip : std::numeric_limits<double>::infinity()),
      rewards_(count(), 0.0f) {}

EnvironmentSpec ChangedRewards::Spec(EnvironmentSpec inner) {
  // The threshold is one of the environment's own rewards.
  inner.reward_threshold = std::numeric_limits<double>::quiet_NaN();
  return inner;
}

absl::Status ChangedRewards::Reset(uint64_t seed) {
  std::fill(rewards_.begin(), rewards_.end(), 0.0f);
  return inner().Reset(seed);
}

absl::Status ChangedRewards::Advance(absl::Span<const std::byte> actions,
                                     absl::Span<const uint8_t> stepped) {
  CADRE_RETURN_IF_ERROR(AdvanceInner(actions, stepped));
  // What is no number stays none, so that it is found.
  for (size_t i = 0; i < rewards_.size(); ++i) {
    const double reward = inner().rewards()[i] * scale_;
    rewards_[i] = static_cast<float>(reward != reward ? reward : std::clamp(reward, -clip_, clip_));
  }
  return absl::OkStatus();
}

}  // namespace cadre
