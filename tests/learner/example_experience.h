// Rollouts as actors would send them, with random numbers in them.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "common/random.h"
#include "common/tensor_view.h"
#include "policy/on_policy_columns.h"
#include "proto/experience.pb.h"

namespace cadre {

struct ExampleSegment {
  int32_t length;
  v1::SegmentEnd end;
};

// Discrete actions are 0 or 1.
inline v1::Rollout ExampleRollout(const v1::ExperienceSpec& spec, int32_t actor, uint64_t sequence,
                                  const std::vector<ExampleSegment>& segments, int64_t version,
                                  Random& random) {
  v1::Rollout rollout;
  rollout.set_actor(actor);
  rollout.set_writer_id(100 + actor);
  rollout.set_sequence(sequence);
  rollout.set_version(version);
  int64_t steps = 0;
  for (const ExampleSegment& segment : segments) {
    v1::Segment& out = *rollout.add_segments();
    out.set_length(segment.length);
    out.set_end(segment.end);
    steps += segment.length;
  }
  for (const v1::ColumnSpec& column : spec.columns()) {
    const int64_t rows =
        column.per_observation() ? steps + static_cast<int64_t>(segments.size()) : steps;
    std::string bytes(rows * RowBytes(column), '\0');
    if (column.dtype() == v1::DTYPE_FLOAT32)
      for (float& value : MutableColumnAs<float>(&bytes))
        value = static_cast<float>(random.Normal());
    if (column.dtype() == v1::DTYPE_INT32)
      for (int32_t& value : MutableColumnAs<int32_t>(&bytes))
        value = static_cast<int32_t>(random.Below(2));
    if (column.dtype() == v1::DTYPE_INT64)
      for (int64_t& value : MutableColumnAs<int64_t>(&bytes)) value = version;
    if (column.name() == "log_prob")
      for (float& value : MutableColumnAs<float>(&bytes)) value = std::log(0.5f);
    rollout.add_columns(std::move(bytes));
  }
  return rollout;
}

}  // namespace cadre
