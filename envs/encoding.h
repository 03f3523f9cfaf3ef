// Actions and observations are bytes in the `Environment` interface; these are
// the numbers in them. Rows need not be aligned.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/types/span.h"
#include "common/check.h"

namespace cadre {

// The number of a discrete action.
inline int32_t DiscreteAction(absl::Span<const std::byte> action) {
  CADRE_CHECK(action.size() == sizeof(int32_t));
  int32_t value;
  std::memcpy(&value, action.data(), sizeof(value));
  return value;
}

// Component `index` of a continuous action, clipped to [low, high].
inline float ContinuousAction(absl::Span<const std::byte> action, size_t index, float low,
                              float high) {
  float value;
  CADRE_CHECK(action.size() >= (index + 1) * sizeof(value));
  std::memcpy(&value, action.data() + index * sizeof(value), sizeof(value));
  return std::clamp(value, low, high);
}

// Writes a float32 observation; `values` are rounded to it.
template <typename Value, size_t kElements>
void WriteObservation(const std::array<Value, kElements>& values,
                      absl::Span<std::byte> observation) {
  std::array<float, kElements> row;
  CADRE_CHECK(observation.size() == sizeof(row));
  for (size_t i = 0; i < kElements; ++i) row[i] = static_cast<float>(values[i]);
  std::memcpy(observation.data(), row.data(), sizeof(row));
}

}  // namespace cadre
