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

// Choice `index` of a discrete action.
inline int32_t DiscreteAction(absl::Span<const std::byte> action, size_t index = 0) {
  int32_t value;
  CADRE_CHECK(action.size() >= (index + 1) * sizeof(value));
  std::memcpy(&value, action.data() + index * sizeof(value), sizeof(value));
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

// Writes a row of a column of `Element`s; `values` are rounded to them.
template <typename Element = float, typename Value, size_t kElements>
void WriteObservation(const std::array<Value, kElements>& values, absl::Span<std::byte> column) {
  std::array<Element, kElements> row;
  CADRE_CHECK(column.size() == sizeof(row));
  for (size_t i = 0; i < kElements; ++i) row[i] = static_cast<Element>(values[i]);
  std::memcpy(column.data(), row.data(), sizeof(row));
}

}  // namespace cadre
