#include "envs/wrappers/time_limit.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"

namespace cadre {

TimeLimit::TimeLimit(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec, int64_t steps)
    : EnvironmentWrapper(std::move(inner), std::move(spec)),
      limit_(steps),
      steps_(count(), 0),
      truncated_(count(), 0),
      too_long_(count(), 0),
      final_observations_(ShownColumns(this->spec().observation, this->spec().action), count()) {}

EnvironmentSpec TimeLimit::Spec(EnvironmentSpec inner, int64_t steps) {
  const int64_t own = inner.max_episode_steps;
  inner.max_episode_steps = own > 0 ? std::min(own, steps) : steps;
  return inner;
}

absl::Status TimeLimit::Reset(uint64_t seed) {
  std::fill(steps_.begin(), steps_.end(), 0);
  std::fill(truncated_.begin(), truncated_.end(), 0);
  return inner().Reset(seed);
}

absl::Status TimeLimit::Restart(absl::Span<const uint8_t> restarted) {
  for (size_t i = 0; i < restarted.size(); ++i)
    if (restarted[i]) steps_[i] = 0;
  return inner().Restart(restarted);
}

absl::Status TimeLimit::Advance(absl::Span<const std::byte> actions,
                                absl::Span<const uint8_t> stepped) {
  CADRE_RETURN_IF_ERROR(AdvanceInner(actions, stepped));
  bool any_too_long = false;
  for (size_t i = 0; i < steps_.size(); ++i) {
    truncated_[i] = inner().truncated()[i];
    too_long_[i] = 0;
    if (!stepped.empty() && !stepped[i]) continue;
    if (skips(i)) {
      steps_[i] = 0;
      continue;
    }
    ++steps_[i];
    if (ended(i)) {
      final_observations_.CopyRow(i, inner().final_observations());
      steps_[i] = 0;
    } else if (steps_[i] >= limit_) {
      final_observations_.CopyRow(i, inner().observations());
      steps_[i] = 0;
      truncated_[i] = too_long_[i] = 1;
      any_too_long = true;
    }
  }
  if (!any_too_long) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(inner().Restart(too_long_));
  for (size_t i = 0; i < steps_.size(); ++i)
    if (skips(i)) truncated_[i] = 0;  // Lost in the attempt to restart it.
  return absl::OkStatus();
}

}  // namespace cadre
