// Typed views on the raw bytes of columns. They own nothing. That sizes fit is
// checked where data enters (ValidateRollout); here a misfit is our own bug.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/check.h"
#include "common/experience/experience_spec.h"
#include "proto/experience.pb.h"

namespace cadre {

// The wire's name for a C++ type.
template <typename T>
constexpr v1::DType DTypeOf() {
  if constexpr (std::is_same_v<T, uint8_t>)
    return v1::DTYPE_UINT8;
  else if constexpr (std::is_same_v<T, int32_t>)
    return v1::DTYPE_INT32;
  else if constexpr (std::is_same_v<T, int64_t>)
    return v1::DTYPE_INT64;
  else if constexpr (std::is_same_v<T, float>)
    return v1::DTYPE_FLOAT32;
  else if constexpr (std::is_same_v<T, double>)
    return v1::DTYPE_FLOAT64;
  else
    return v1::DTYPE_UNSPECIFIED;
}

// The values of a column: whole ones, and aligned as T wants.
template <typename T>
absl::Span<const T> ColumnAs(absl::Span<const std::byte> bytes) {
  static_assert(DTypeOf<T>() != v1::DTYPE_UNSPECIFIED);
  CADRE_CHECK(bytes.size() % sizeof(T) == 0);
  CADRE_CHECK(reinterpret_cast<uintptr_t>(bytes.data()) % alignof(T) == 0);
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}
template <typename T>
absl::Span<const T> ColumnAs(absl::string_view bytes) {
  return ColumnAs<T>(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
}

// The same for writing.
template <typename T>
absl::Span<T> MutableColumnAs(absl::Span<std::byte> bytes) {
  const absl::Span<const T> column = ColumnAs<T>(absl::Span<const std::byte>(bytes));
  return {const_cast<T*>(column.data()), column.size()};
}
template <typename T>
absl::Span<T> MutableColumnAs(std::string* bytes) {
  return MutableColumnAs<T>(
      absl::MakeSpan(reinterpret_cast<std::byte*>(bytes->data()), bytes->size()));
}

// Dense values in C order, with their dtype and shape.
struct TensorView {
  v1::DType dtype = v1::DTYPE_UNSPECIFIED;
  std::vector<int64_t> shape;  // Rows first.
  absl::Span<const std::byte> bytes;

  template <typename T>
  absl::Span<const T> As() const {
    CADRE_CHECK(DTypeOf<T>() == dtype);
    return ColumnAs<T>(bytes);
  }
};

// Column `index` of a rollout that ValidateRollout accepted: [rows, row shape...].
// Valid as long as the rollout.
inline TensorView RolloutColumn(const v1::ExperienceSpec& spec, const v1::Rollout& rollout,
                                int index) {
  CADRE_CHECK(index >= 0 && index < spec.columns_size() && index < rollout.columns_size());
  const v1::ColumnSpec& column = spec.columns(index);
  const std::string& data = rollout.columns(index);
  TensorView view;
  view.dtype = column.dtype();
  view.shape.push_back(column.per_observation() ? RolloutObservations(rollout)
                                                : RolloutSteps(rollout));
  view.shape.insert(view.shape.end(), column.shape().begin(), column.shape().end());
  view.bytes = absl::MakeConstSpan(reinterpret_cast<const std::byte*>(data.data()), data.size());
  CADRE_CHECK(static_cast<int64_t>(data.size()) == view.shape[0] * RowBytes(column));
  return view;
}

}  // namespace cadre
