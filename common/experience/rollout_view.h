// A rollout whose payload stands wherever it came in: in the slices of a gRPC
// message, or in a Rollout. Storage copies it from here to its place, once. Plain
// data; copies of a view share the payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "proto/experience.pb.h"

namespace cadre {

// The bytes of one column, in one or more pieces; a piece may end inside a row.
using PiecewiseBytes = std::vector<absl::Span<const std::byte>>;

struct RolloutView {
  absl::string_view run_id;
  uint64_t writer_id = 0;
  uint64_t sequence = 0;
  int64_t version = 0;
  int32_t actor = 0;
  std::vector<v1::Segment> segments;
  std::vector<PiecewiseBytes> columns;  // By position in the spec.
  std::vector<v1::Episode> episodes;
  std::vector<float> priorities;  // One for each step, or none.
  // Keeps the payload alive.
  std::shared_ptr<const void> owner;

  int64_t steps() const;
  int64_t payload_bytes() const;
};

// A view of `rollout`, which it keeps alive.
RolloutView ViewOf(std::shared_ptr<const v1::Rollout> rollout);

// As ValidateRollout (experience_spec.h), and: priorities are none or one for each
// step, finite and >= 0.
absl::Status ValidateRolloutView(const v1::ExperienceSpec& spec, const RolloutView& rollout);

// Copies `size` bytes from byte `offset` of `pieces`, which has so many.
void CopyBytes(const PiecewiseBytes& pieces, int64_t offset, int64_t size, std::byte* to);

}  // namespace cadre
