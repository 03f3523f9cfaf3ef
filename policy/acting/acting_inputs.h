// What environments show, as acting reads it: the inputs of a network, and the mask of its
// actions. Not thread-safe.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "common/spaces.h"
#include "policy/normalization.h"

namespace cadre {

class ActingInputs {
 public:
  ActingInputs(const ObservationSpace& observation, const ActionSpace& action);

  // What float32 columns go through; its elements are theirs, one column after the other.
  void set_transform(ObservationTransform transform) { transform_ = std::move(transform); }

  // Looks at `shown`, which must outlive the use of what follows. Returns B.
  int64_t Set(ShownBlocks shown);

  // By column of the observation: its rows, [B, elements] of its dtype.
  absl::Span<const void* const> columns() const { return rows_; }

  // Rows of MaskColumn; empty if actions are not masked.
  absl::Span<const uint8_t> mask() const { return mask_; }
  absl::Span<const uint8_t> MaskOf(int64_t row) const {
    return mask_.empty() ? mask_ : mask_.subspan(row * alternatives_, alternatives_);
  }

 private:
  const std::vector<ObservationColumn> columns_;
  const bool masked_;
  const int64_t alternatives_;
  ObservationTransform transform_;
  std::vector<const void*> rows_;            // By column.
  std::vector<std::vector<float>> changed_;  // By column: those that are not as they were shown.
  absl::Span<const uint8_t> mask_;
};

}  // namespace cadre
