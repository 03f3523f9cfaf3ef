#include "envs/wrappers/actions.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

// Its draws are other than the environment's own.
constexpr uint64_t kStickyStream = 0x571c4b;

}  // namespace

StickyActions::StickyActions(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec,
                             double sticky)
    : EnvironmentWrapper(std::move(inner), std::move(spec)),
      sticky_(sticky),
      actions_(count() * this->spec().action.bytes()),
      started_(count(), 0) {}

absl::Status StickyActions::Reset(uint64_t seed) {
  random_.clear();
  for (int64_t i = 0; i < count(); ++i)
    random_.push_back(Random::ForStream(seed ^ kStickyStream, i));
  std::fill(started_.begin(), started_.end(), 0);
  return inner().Reset(seed);
}

absl::Status StickyActions::Restart(absl::Span<const uint8_t> restarted) {
  for (size_t i = 0; i < restarted.size(); ++i)
    if (restarted[i]) started_[i] = 0;
  return inner().Restart(restarted);
}

absl::Status StickyActions::Advance(absl::Span<const std::byte> actions,
                                    absl::Span<const uint8_t> stepped) {
  const size_t bytes = spec().action.bytes();
  // The environment says what is wrong with them.
  if (random_.empty() || actions.size() != actions_.size()) return AdvanceInner(actions, stepped);
  for (size_t i = 0; i < started_.size(); ++i) {
    if (!stepped.empty() && !stepped[i]) continue;
    const bool repeats = started_[i] && random_[i].Uniform(0, 1) < sticky_;
    if (!repeats) std::memcpy(&actions_[i * bytes], &actions[i * bytes], bytes);
  }
  CADRE_RETURN_IF_ERROR(AdvanceInner(actions_, stepped));
  for (size_t i = 0; i < started_.size(); ++i)
    if (stepped.empty() || stepped[i]) started_[i] = !ended(i) && !skips(i);
  return absl::OkStatus();
}

RepeatedActions::RepeatedActions(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec,
                                 int64_t times)
    : EnvironmentWrapper(std::move(inner), std::move(spec)),
      times_(times),
      final_observations_(ShownColumns(this->spec().observation, this->spec().action), count()),
      running_(count()),
      rewards_(count()),
      terminated_(count()),
      truncated_(count()),
      skipped_(count()) {}

EnvironmentSpec RepeatedActions::Spec(EnvironmentSpec inner, int64_t times) {
  inner.max_episode_steps = (inner.max_episode_steps + times - 1) / times;
  return inner;
}

absl::Status RepeatedActions::Reset(uint64_t seed) {
  std::fill(rewards_.begin(), rewards_.end(), 0);
  std::fill(terminated_.begin(), terminated_.end(), 0);
  std::fill(truncated_.begin(), truncated_.end(), 0);
  std::fill(skipped_.begin(), skipped_.end(), 0);
  return inner().Reset(seed);
}

absl::Status RepeatedActions::Advance(absl::Span<const std::byte> actions,
                                      absl::Span<const uint8_t> stepped) {
  const size_t n = running_.size();
  for (size_t i = 0; i < n; ++i) {
    running_[i] = stepped.empty() || stepped[i];
    rewards_[i] = 0;
    terminated_[i] = truncated_[i] = skipped_[i] = 0;
  }
  for (int64_t time = 0; time < times_; ++time) {
    CADRE_RETURN_IF_ERROR(inner().StepSome(actions, running_));
    bool any = false;
    for (size_t i = 0; i < n; ++i) {
      if (!running_[i]) continue;
      if (skips(i)) {
        // The repetitions before are lost with their episode.
        rewards_[i] = 0;
        skipped_[i] = 1;
        running_[i] = 0;
        continue;
      }
      rewards_[i] += inner().rewards()[i];
      if (ended(i)) {
        terminated_[i] = inner().terminated()[i];
        truncated_[i] = inner().truncated()[i];
        final_observations_.CopyRow(i, inner().final_observations());
        running_[i] = 0;
      }
      any |= running_[i];
    }
    if (!any) break;
  }
  return absl::OkStatus();
}

RescaledActions::RescaledActions(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec)
    : EnvironmentWrapper(std::move(inner), std::move(spec)),
      rescaled_(count() * this->spec().action.bytes()) {}

absl::StatusOr<EnvironmentSpec> RescaledActions::Spec(EnvironmentSpec inner) {
  ActionSpace& action = inner.action;
  const auto finite = [](float bound) { return std::isfinite(bound); };
  const bool bounded = std::all_of(action.low.begin(), action.low.end(), finite) &&
                       std::all_of(action.high.begin(), action.high.end(), finite);
  if (action.discrete() || !bounded)
    return absl::InvalidArgumentError(
        absl::StrCat("environment.wrappers.rescale_actions: the actions of '", inner.id, "' are ",
                     Describe(action), action.discrete() ? "" : " without bounds",
                     "; wanted continuous ones with bounds"));
  action.low.assign(action.dimensions, -1);
  action.high.assign(action.dimensions, 1);
  return inner;
}

absl::Status RescaledActions::Advance(absl::Span<const std::byte> actions,
                                      absl::Span<const uint8_t> stepped) {
  // The environment says what is wrong with them.
  if (actions.size() != rescaled_.size()) return AdvanceInner(actions, stepped);
  const ActionSpace& onto = inner().spec().action;
  for (size_t offset = 0; offset < rescaled_.size(); offset += sizeof(float)) {
    const size_t a = offset / sizeof(float) % onto.dimensions;
    float value;
    std::memcpy(&value, &actions[offset], sizeof(value));
    if (std::isfinite(value)) value = std::clamp(value, -1.0f, 1.0f);
    value = onto.low[a] + (value + 1) / 2 * (onto.high[a] - onto.low[a]);
    std::memcpy(&rescaled_[offset], &value, sizeof(value));
  }
  return AdvanceInner(rescaled_, stepped);
}

}  // namespace cadre
