#include "policy/acting/action_range.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/tensor_view.h"

namespace cadre {

absl::StatusOr<ActionRange> ActionRange::Create(const ActionSpace& space) {
  for (int64_t a = 0; a < space.dimensions; ++a) {
    const float low = space.low[a], high = space.high[a];
    if (std::isfinite(low) && std::isfinite(high) && low < high) continue;
    return absl::InvalidArgumentError(absl::StrCat("dimension ", a, " of the action: got bounds ",
                                                   low, " and ", high,
                                                   "; wanted finite ones, low < high"));
  }
  return ActionRange(space);
}

ActionRange::ActionRange(const ActionSpace& space) : low_(space.low), high_(space.high) {
  for (int64_t a = 0; a < space.dimensions; ++a) {
    // Halves first: the difference of large bounds may be infinite.
    center_.push_back(0.5f * low_[a] + 0.5f * high_[a]);
    half_.push_back(0.5f * high_[a] - 0.5f * low_[a]);
  }
}

void ActionRange::ToBounds(absl::Span<const float> units, absl::Span<float> actions) const {
  const size_t dimensions = low_.size();
  for (size_t row = 0; row < units.size(); row += dimensions) {
    for (size_t a = 0; a < dimensions; ++a) {
      const float unit = std::clamp(units[row + a], -1.0f, 1.0f);
      // Rounding may lead out again.
      actions[row + a] = std::clamp(center_[a] + half_[a] * unit, low_[a], high_[a]);
    }
  }
}

int32_t DrawAllowed(int64_t count, absl::Span<const uint8_t> mask, Random& random) {
  if (mask.empty()) return static_cast<int32_t>(random.Below(static_cast<uint64_t>(count)));
  const int64_t allowed = count - std::count(mask.begin(), mask.end(), uint8_t{0});
  CADRE_CHECK(allowed > 0);
  int64_t left = static_cast<int64_t>(random.Below(static_cast<uint64_t>(allowed)));
  int32_t i = 0;
  while (mask[i] == 0 || left-- > 0) ++i;
  return i;
}

void DrawUniformActions(const ActionSpace& space, absl::Span<const uint8_t> mask, Random& random,
                        absl::Span<std::byte> actions) {
  if (space.discrete()) {
    size_t choice = 0, first = 0;  // In `counts`, in `mask`.
    for (int32_t& action : MutableColumnAs<int32_t>(actions)) {
      const int64_t count = space.counts[choice];
      action = DrawAllowed(count, mask.empty() ? mask : mask.subspan(first, count), random);
      first += count;
      choice = (choice + 1) % space.counts.size();
    }
    return;
  }
  const absl::Span<float> values = MutableColumnAs<float>(actions);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t a = i % space.low.size();
    const auto value = static_cast<float>(random.Uniform(space.low[a], space.high[a]));
    values[i] = std::clamp(value, space.low[a], space.high[a]);
  }
}

}  // namespace cadre
