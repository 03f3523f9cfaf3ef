// Observations as learners hold them, and the mask that comes with them. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "absl/types/span.h"
#include "policy/sequences.h"

namespace cadre {

// B rows, on one device.
struct ObservationBatch {
  ObservationBatch() = default;
  // Of a space with one column and without masks.
  ObservationBatch(torch::Tensor only) : columns{std::move(only)} {}
  // `tensors` as tensors() returns them.
  ObservationBatch(std::vector<torch::Tensor> tensors, bool masked);

  // By column of the ObservationSpace, [B, shape...], float32 or uint8.
  std::vector<torch::Tensor> columns;
  // Rows of MaskColumn, [B, D] uint8; undefined: everything is allowed.
  torch::Tensor mask;
  // For networks with a memory, else null. Select and Narrow leave it out.
  std::shared_ptr<const Sequences> sequences;

  // The column, if there is only one.
  const torch::Tensor& only() const { return columns.at(0); }
  int64_t rows() const { return columns[0].size(0); }
  torch::Device device() const { return columns[0].device(); }

  // The columns, then the mask if there is one.
  std::vector<torch::Tensor> tensors() const;
  // What a network reads that takes actions as its last input.
  std::vector<torch::Tensor> With(const torch::Tensor& actions) const;

  // The rows that `rows` [M] int64 names; a copy.
  ObservationBatch Select(const torch::Tensor& rows) const;
  // Rows `first` to `first + count - 1`; looks at the same memory.
  ObservationBatch Narrow(int64_t first, int64_t count) const;
};

// The float32 columns, one after the other, [B, ObservationSpace::floats()]: what is normalised.
torch::Tensor FloatRows(const ObservationBatch& observations);

// `logits`, or values, [B, D], with kMaskedLogit (distributions.h) for what `mask` does not
// allow; `logits` themselves without a mask.
torch::Tensor Masked(const torch::Tensor& logits, const torch::Tensor& mask);
// The gradient with respect to `logits` from that with respect to Masked(logits, mask), which
// may be overwritten.
torch::Tensor MaskedGradient(torch::Tensor gradient, const torch::Tensor& mask);

}  // namespace cadre
