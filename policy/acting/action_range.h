// Between the bounds of continuous actions and units of half their range, [-1, 1]:
// policies speak the one, environments the other. Constant after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "common/spaces.h"

namespace cadre {

class ActionRange {
 public:
  // INVALID_ARGUMENT unless the bounds of `space`, which is continuous, are finite and
  // low < high.
  static absl::StatusOr<ActionRange> Create(const ActionSpace& space);

  // `units` [B, A], clipped to [-1, 1], to the bounds; `actions` [B, A] may be `units`.
  void ToBounds(absl::Span<const float> units, absl::Span<float> actions) const;

 private:
  explicit ActionRange(const ActionSpace& space);

  std::vector<float> low_, high_, center_, half_;  // [A]
};

// One of `count` alternatives, uniformly among those that `mask` allows: [count], 0 for what
// is not allowed, or empty.
int32_t DrawAllowed(int64_t count, absl::Span<const uint8_t> mask, Random& random);

// Actions of `space` drawn uniformly: as many as `actions` holds, as bytes. The bounds
// of continuous ones are finite. `mask`: a row of MaskColumn for each action, or empty.
void DrawUniformActions(const ActionSpace& space, absl::Span<const uint8_t> mask, Random& random,
                        absl::Span<std::byte> actions);

}  // namespace cadre
