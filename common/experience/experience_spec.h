// Sizes, equality and checks of experience specs and rollouts. Pure functions on
// the wire messages, used wherever experience enters a process.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "proto/experience.pb.h"

namespace cadre {

// Bytes of one value; 0 for DTYPE_UNSPECIFIED and unknown values.
int64_t DTypeBytes(v1::DType dtype);

// Values in one row: the product of the shape, 1 for a scalar.
int64_t RowElements(const v1::ColumnSpec& column);
int64_t RowBytes(const v1::ColumnSpec& column);

// "obs float32[4] per observation, action int32[], reward float32[]".
std::string DescribeSpec(const v1::ExperienceSpec& spec);

// INVALID_ARGUMENT unless names are unique and not empty, dtypes known and
// dimensions positive.
absl::Status ValidateSpec(const v1::ExperienceSpec& spec);

// FAILED_PRECONDITION that shows both, unless their columns are the same. What else they
// agree on: agreed_settings.h.
absl::Status CheckSameSpec(const v1::ExperienceSpec& ours, const v1::ExperienceSpec& theirs);

// Position of a column, or -1.
int ColumnIndex(const v1::ExperienceSpec& spec, absl::string_view name);

// Steps (sum of segment lengths), observations (steps + segments), payload bytes.
int64_t RolloutSteps(const v1::Rollout& rollout);
int64_t RolloutObservations(const v1::Rollout& rollout);
int64_t RolloutBytes(const v1::Rollout& rollout);

// INVALID_ARGUMENT unless every segment has a length, an end and an environment, and every
// column has exactly the bytes that the spec asks for.
absl::Status ValidateRolloutShape(const v1::ExperienceSpec& spec, const v1::Rollout& rollout);
// The same of a rollout whose columns, by position, have so many bytes.
absl::Status ValidateRolloutShape(const v1::ExperienceSpec& spec,
                                  absl::Span<const v1::Segment> segments,
                                  absl::Span<const int64_t> column_bytes);
// INVALID_ARGUMENT where a float of a rollout of the right shape, or an episode's total reward,
// is not finite: which column, row and value.
absl::Status CheckFiniteRollout(const v1::ExperienceSpec& spec, const v1::Rollout& rollout);

// Both.
absl::Status ValidateRollout(const v1::ExperienceSpec& spec, const v1::Rollout& rollout);

}  // namespace cadre
