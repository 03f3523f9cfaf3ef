// Dense float32 tensors on the CPU as plain rows, and buffers that are allocated once.
#pragma once

#include <limits>

#include <torch/types.h>

#include "absl/types/span.h"
#include "common/check.h"

namespace cadre {

// The tensor's own memory.
inline absl::Span<float> Flat(const torch::Tensor& tensor) {
  CADRE_CHECK(tensor.is_contiguous() && tensor.device().is_cpu());
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

// Makes `buffer` a tensor of this shape, of unknown contents, unless it is one already.
inline void Reserve(torch::Tensor& buffer, c10::IntArrayRef shape,
                    torch::Device device = torch::kCPU) {
  if (!buffer.defined() || buffer.sizes() != shape)
    buffer = torch::empty(shape, torch::TensorOptions(torch::kFloat32).device(device));
}

// NaN where the tensor is undefined.
inline double Mean(const torch::Tensor& tensor) {
  if (!tensor.defined()) return std::numeric_limits<double>::quiet_NaN();
  return tensor.mean().item<double>();
}

}  // namespace cadre
