// Whether the floats of a column are finite, wherever its bytes stand. Pure.
#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/experience/rollout_view.h"
#include "proto/experience.pb.h"

namespace cadre {

// Vectorised, as every value that enters a process is looked at.
bool AllFinite(absl::Span<const float> values);

// INVALID_ARGUMENT with the first bad value and its row where a column of float32 or float64
// has one that is not finite. `bytes` are whole rows of `column`.
absl::Status CheckFinite(const v1::ColumnSpec& column, const PiecewiseBytes& bytes);

// The same of all columns of a rollout, by position in `spec`, and of its episodes.
absl::Status CheckFiniteRollout(const v1::ExperienceSpec& spec,
                                absl::Span<const PiecewiseBytes> columns,
                                absl::Span<const v1::Episode> episodes);

}  // namespace cadre
