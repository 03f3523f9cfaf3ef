// Tensors as plain memory, for closed forms on the CPU.
#pragma once

#include <torch/types.h>

#include "absl/types/span.h"
#include "common/check.h"

namespace cadre {

// All of a contiguous CPU tensor of this type.
template <typename T = float>
absl::Span<T> Flat(const torch::Tensor& tensor) {
  CADRE_CHECK(tensor.is_contiguous() && tensor.device().is_cpu());
  return {tensor.data_ptr<T>(), static_cast<size_t>(tensor.numel())};
}

// Row `index` of a matrix with rows of `width`.
template <typename T>
absl::Span<T> RowOf(absl::Span<T> matrix, int64_t index, int64_t width) {
  return matrix.subspan(index * width, width);
}

// Makes `buffer` a float32 CPU tensor of this shape, unless it is one already.
inline void Reserve(torch::Tensor& buffer, c10::IntArrayRef shape) {
  if (!buffer.defined() || buffer.sizes() != shape) buffer = torch::empty(shape, torch::kFloat32);
}

}  // namespace cadre
