#include "common/experience/rollout_view.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/experience/experience_spec.h"
#include "common/experience/finite_values.h"

namespace cadre {
namespace {

int64_t TotalBytes(const PiecewiseBytes& pieces) {
  int64_t bytes = 0;
  for (const absl::Span<const std::byte> piece : pieces)
    bytes += static_cast<int64_t>(piece.size());
  return bytes;
}

absl::Status CheckPriorities(const RolloutView& rollout) {
  if (rollout.priorities.empty()) return absl::OkStatus();
  const auto size = static_cast<int64_t>(rollout.priorities.size());
  if (size != rollout.steps())
    return absl::InvalidArgumentError(absl::StrCat("rollout has ", size,
                                                   " priorities; wanted none or one for each of ",
                                                   rollout.steps(), " steps"));
  for (int64_t i = 0; i < size; ++i) {
    const float priority = rollout.priorities[i];
    if (!std::isfinite(priority) || priority < 0)
      return absl::InvalidArgumentError(
          absl::StrCat("priority of step ", i, " is ", priority, "; wanted a finite number >= 0"));
  }
  return absl::OkStatus();
}

}  // namespace

int64_t RolloutView::steps() const {
  int64_t steps = 0;
  for (const v1::Segment& segment : segments) steps += segment.length();
  return steps;
}

int64_t RolloutView::payload_bytes() const {
  int64_t bytes = 0;
  for (const PiecewiseBytes& column : columns) bytes += TotalBytes(column);
  return bytes;
}

RolloutView ViewOf(std::shared_ptr<const v1::Rollout> rollout) {
  RolloutView view;
  view.run_id = rollout->run_id();
  view.writer_id = rollout->writer_id();
  view.sequence = rollout->sequence();
  view.version = rollout->version();
  view.actor = rollout->actor();
  view.segments.assign(rollout->segments().begin(), rollout->segments().end());
  for (const std::string& column : rollout->columns())
    view.columns.push_back(
        {absl::MakeConstSpan(reinterpret_cast<const std::byte*>(column.data()), column.size())});
  view.episodes.assign(rollout->episodes().begin(), rollout->episodes().end());
  view.priorities.assign(rollout->priorities().begin(), rollout->priorities().end());
  view.owner = std::move(rollout);
  return view;
}

absl::Status ValidateRolloutView(const v1::ExperienceSpec& spec, const RolloutView& rollout) {
  std::vector<int64_t> bytes;
  for (const PiecewiseBytes& column : rollout.columns) bytes.push_back(TotalBytes(column));
  const absl::Status status = ValidateRolloutShape(spec, rollout.segments, bytes);
  if (!status.ok()) return status;
  const absl::Status finite = CheckFiniteRollout(spec, rollout.columns, rollout.episodes);
  return finite.ok() ? CheckPriorities(rollout) : finite;
}

void CopyBytes(const PiecewiseBytes& pieces, int64_t offset, int64_t size, std::byte* to) {
  for (const absl::Span<const std::byte> piece : pieces) {
    if (size == 0) return;
    const auto piece_size = static_cast<int64_t>(piece.size());
    if (offset >= piece_size) {
      offset -= piece_size;
      continue;
    }
    const int64_t n = std::min(size, piece_size - offset);
    std::memcpy(to, piece.data() + offset, n);
    to += n;
    size -= n;
    offset = 0;
  }
  CADRE_CHECK(size == 0);
}

}  // namespace cadre
