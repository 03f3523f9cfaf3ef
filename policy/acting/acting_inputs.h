// What environments show, as acting reads it: the inputs of a network, and the mask of its
// actions. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/spaces.h"
#include "policy/normalization.h"
#include "proto/config.pb.h"
#include "proto/parameters.pb.h"

namespace cadre {

class ActingInputs {
 public:
  ActingInputs(const ObservationSpace& observation, const ActionSpace& action,
               const NormalizationConfig& normalization);

  // Normalises float32 columns with the statistics of `parameters` from here on. DATA_LOSS if they
  // lack what the config normalises with, and nothing has changed.
  absl::Status Load(const v1::Parameters& parameters);

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
  const int64_t floats_;  // Elements of the float32 columns.
  const bool masked_;
  const int64_t alternatives_;
  const NormalizationConfig normalization_;
  ObservationTransform transform_;
  std::vector<const void*> rows_;            // By column.
  std::vector<std::vector<float>> changed_;  // By column: those that are not as they were shown.
  absl::Span<const uint8_t> mask_;
};

}  // namespace cadre
