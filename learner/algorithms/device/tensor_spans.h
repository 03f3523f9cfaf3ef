// Tensors as plain memory, for closed forms on the CPU, and buffers that are allocated once.
#pragma once

#include <limits>

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

// Makes `buffer` a float32 tensor of this shape, unless it is one already.
inline void Reserve(torch::Tensor& buffer, c10::IntArrayRef shape,
                    torch::Device device = torch::kCPU) {
  if (!buffer.defined() || buffer.sizes() != shape)
    buffer = torch::empty(shape, torch::TensorOptions(torch::kFloat32).device(device));
}

// Of all elements, for diagnostics. NaN where there is no tensor yet.
inline double Mean(const torch::Tensor& tensor) {
  if (!tensor.defined()) return std::numeric_limits<double>::quiet_NaN();
  return tensor.mean().item<double>();
}

}  // namespace cadre
