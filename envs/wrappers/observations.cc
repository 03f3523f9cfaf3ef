#include "envs/wrappers/observations.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr char kTimeColumn[] = "time";

bool IsFloat(const ObservationColumn& column) { return column.dtype == v1::DTYPE_FLOAT32; }

bool IsBounded(const ObservationColumn& column, size_t element) {
  // The largest float, as some environments have it, is no bound either: twice it is infinite.
  return std::isfinite(2 * (column.high[element] - column.low[element])) &&
         column.low[element] < column.high[element];
}

void CopyColumn(size_t i, absl::Span<const std::byte> block, absl::Span<std::byte> to) {
  std::memcpy(to.data(), block.data() + i * to.size(), to.size());
}

}  // namespace

ObservationWrapper::ObservationWrapper(std::unique_ptr<VectorEnvironment> inner,
                                       EnvironmentSpec spec)
    : EnvironmentWrapper(std::move(inner), std::move(spec)) {
  const auto shown = ShownColumns(this->spec().observation, this->spec().action);
  observations_ = ObservationBlocks(shown, count());
  final_observations_ = ObservationBlocks(shown, count());
}

absl::Status ObservationWrapper::Reset(uint64_t seed) {
  CADRE_RETURN_IF_ERROR(inner().Reset(seed));
  for (int64_t i = 0; i < count(); ++i) Begin(i, inner().observations(), observations_.Row(i));
  return absl::OkStatus();
}

absl::Status ObservationWrapper::Restart(absl::Span<const uint8_t> restarted) {
  CADRE_RETURN_IF_ERROR(inner().Restart(restarted));
  for (size_t i = 0; i < restarted.size(); ++i)
    if (restarted[i]) Begin(i, inner().observations(), observations_.Row(i));
  return absl::OkStatus();
}

absl::Status ObservationWrapper::SetState(int64_t index, absl::Span<const double> state) {
  CADRE_RETURN_IF_ERROR(inner().SetState(index, state));
  Begin(index, inner().observations(), observations_.Row(index));
  return absl::OkStatus();
}

absl::Status ObservationWrapper::Advance(absl::Span<const std::byte> actions,
                                         absl::Span<const uint8_t> stepped) {
  CADRE_RETURN_IF_ERROR(AdvanceInner(actions, stepped));
  for (size_t i = 0; i < static_cast<size_t>(count()); ++i) {
    if (!stepped.empty() && !stepped[i]) continue;
    const ObservationRow row = observations_.Row(i);
    if (skips(i)) {
      Begin(i, inner().observations(), row);
      continue;
    }
    if (!ended(i)) {
      Continue(i, inner().observations(), row);
      continue;
    }
    Continue(i, inner().final_observations(), row);
    final_observations_.CopyRow(i, observations_.blocks());
    Begin(i, inner().observations(), row);
  }
  return absl::OkStatus();
}

RescaledObservations::RescaledObservations(std::unique_ptr<VectorEnvironment> inner,
                                           EnvironmentSpec spec, bool rescale, double clip)
    : ObservationWrapper(std::move(inner), std::move(spec)),
      rescale_(rescale),
      clip_(clip > 0 ? static_cast<float>(clip) : std::numeric_limits<float>::infinity()) {}

absl::StatusOr<EnvironmentSpec> RescaledObservations::Spec(EnvironmentSpec inner, bool rescale,
                                                           double clip) {
  bool floats = false, bounded = false;
  for (ObservationColumn& column : inner.observation.columns) {
    if (!IsFloat(column)) continue;
    floats = true;
    for (size_t e = 0; e < column.low.size(); ++e) {
      if (rescale && IsBounded(column, e)) {
        bounded = true;
        column.low[e] = -1;
        column.high[e] = 1;
      }
      if (clip > 0) {
        const auto bound = static_cast<float>(clip);
        column.low[e] = std::clamp(column.low[e], -bound, bound);
        column.high[e] = std::clamp(column.high[e], -bound, bound);
      }
    }
  }
  const char* const field = rescale ? "rescale_observations" : "observation_clip";
  if (!floats || (rescale && !bounded))
    return absl::InvalidArgumentError(absl::StrCat(
        "environment.wrappers.", field, ": the observation of '", inner.id, "' is ",
        Describe(inner.observation), "; wanted float32 numbers", rescale ? " with bounds" : ""));
  return inner;
}

void RescaledObservations::Begin(size_t i, ShownBlocks inner_blocks, ObservationRow to) {
  const std::vector<ObservationColumn>& columns = inner().spec().observation.columns;
  for (size_t c = 0; c < to.size(); ++c) {
    CopyColumn(i, inner_blocks[c], to[c]);
    if (c >= columns.size() || !IsFloat(columns[c])) continue;  // The mask, or bytes.
    const ObservationColumn& column = columns[c];
    for (size_t e = 0; e < column.low.size(); ++e) {
      std::byte* const place = to[c].data() + e * sizeof(float);
      float value;
      std::memcpy(&value, place, sizeof(value));
      if (rescale_ && IsBounded(column, e))
        value = 2 * (value - column.low[e]) / (column.high[e] - column.low[e]) - 1;
      if (value == value) value = std::clamp(value, -clip_, clip_);
      std::memcpy(place, &value, sizeof(value));
    }
  }
}

StackedObservations::StackedObservations(std::unique_ptr<VectorEnvironment> inner,
                                         EnvironmentSpec spec, int64_t depth)
    : ObservationWrapper(std::move(inner), std::move(spec)), depth_(depth) {}

EnvironmentSpec StackedObservations::Spec(EnvironmentSpec inner, int64_t depth) {
  for (ObservationColumn& column : inner.observation.columns) {
    column.shape.insert(column.shape.begin(), depth);
    const std::vector<float> low = column.low, high = column.high;
    for (int64_t d = 1; d < depth; ++d) {
      column.low.insert(column.low.end(), low.begin(), low.end());
      column.high.insert(column.high.end(), high.begin(), high.end());
    }
  }
  return inner;
}

void StackedObservations::Begin(size_t i, ShownBlocks inner_blocks, ObservationRow to) {
  const size_t stacked = inner().spec().observation.columns.size();
  for (size_t c = 0; c < to.size(); ++c) {
    if (c >= stacked) {
      CopyColumn(i, inner_blocks[c], to[c]);
      continue;
    }
    const size_t frame = to[c].size() / depth_;
    for (int64_t d = 0; d < depth_; ++d)
      CopyColumn(i, inner_blocks[c], to[c].subspan(d * frame, frame));
  }
}

void StackedObservations::Continue(size_t i, ShownBlocks inner_blocks, ObservationRow to) {
  const size_t stacked = inner().spec().observation.columns.size();
  for (size_t c = 0; c < to.size(); ++c) {
    const size_t frame = c < stacked ? to[c].size() / depth_ : to[c].size();
    const size_t kept = to[c].size() - frame;
    std::memmove(to[c].data(), to[c].data() + frame, kept);
    CopyColumn(i, inner_blocks[c], to[c].subspan(kept, frame));
  }
}

TimedObservations::TimedObservations(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec)
    : ObservationWrapper(std::move(inner), std::move(spec)), steps_(count(), 0) {}

absl::StatusOr<EnvironmentSpec> TimedObservations::Spec(EnvironmentSpec inner) {
  if (inner.max_episode_steps == 0)
    return absl::InvalidArgumentError(
        absl::StrCat("environment.wrappers.time_aware: '", inner.id,
                     "' has no time limit; wanted one: environment.max_episode_steps"));
  for (const ObservationColumn& column : inner.observation.columns)
    if (column.name == kTimeColumn)
      return absl::InvalidArgumentError(
          absl::StrCat("environment.wrappers.time_aware: '", inner.id,
                       "' has a column 'time' already; wanted it switched off"));
  inner.observation.columns.push_back(
      {.name = kTimeColumn, .shape = {1}, .low = {0.0f}, .high = {1.0f}});
  return inner;
}

void TimedObservations::Begin(size_t i, ShownBlocks inner_blocks, ObservationRow to) {
  steps_[i] = 0;
  Write(i, inner_blocks, to);
}

void TimedObservations::Continue(size_t i, ShownBlocks inner_blocks, ObservationRow to) {
  ++steps_[i];
  Write(i, inner_blocks, to);
}

void TimedObservations::Write(size_t i, ShownBlocks inner_blocks, ObservationRow to) const {
  const size_t columns = inner().spec().observation.columns.size();
  for (size_t c = 0; c < inner_blocks.size(); ++c)
    CopyColumn(i, inner_blocks[c], to[c < columns ? c : c + 1]);
  const float share = static_cast<float>(steps_[i]) / static_cast<float>(spec().max_episode_steps);
  std::memcpy(to[columns].data(), &share, sizeof(share));
}

}  // namespace cadre
