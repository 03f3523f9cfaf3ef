#include "policy/observation_batch.h"

#include "policy/distributions.h"

namespace cadre {
namespace {

template <typename Change>
ObservationBatch ChangeEach(const ObservationBatch& batch, const Change& change) {
  ObservationBatch out;
  for (const torch::Tensor& column : batch.columns) out.columns.push_back(change(column));
  if (batch.mask.defined()) out.mask = change(batch.mask);
  return out;
}

}  // namespace

ObservationBatch::ObservationBatch(std::vector<torch::Tensor> tensors, bool masked)
    : columns(std::move(tensors)) {
  if (!masked) return;
  mask = columns.back();
  columns.pop_back();
}

std::vector<torch::Tensor> ObservationBatch::tensors() const {
  std::vector<torch::Tensor> all = columns;
  if (mask.defined()) all.push_back(mask);
  return all;
}

std::vector<torch::Tensor> ObservationBatch::With(const torch::Tensor& actions) const {
  std::vector<torch::Tensor> inputs = columns;
  inputs.push_back(actions);
  return inputs;
}

ObservationBatch ObservationBatch::Select(const torch::Tensor& rows) const {
  return ChangeEach(*this, [&](const torch::Tensor& t) { return t.index_select(0, rows); });
}

ObservationBatch ObservationBatch::Narrow(int64_t first, int64_t count) const {
  return ChangeEach(*this, [&](const torch::Tensor& t) { return t.narrow(0, first, count); });
}

torch::Tensor FloatRows(const ObservationBatch& observations) {
  std::vector<torch::Tensor> floats;
  for (const torch::Tensor& column : observations.columns)
    if (column.scalar_type() == torch::kFloat32)
      floats.push_back(column.dim() == 2 ? column : column.reshape({column.size(0), -1}));
  return floats.size() == 1 ? floats[0] : torch::cat(floats, 1);
}

torch::Tensor Masked(const torch::Tensor& logits, const torch::Tensor& mask) {
  return mask.defined() ? logits.masked_fill(mask.eq(0), kMaskedLogit) : logits;
}

torch::Tensor MaskedGradient(torch::Tensor gradient, const torch::Tensor& mask) {
  return mask.defined() ? gradient.masked_fill_(mask.eq(0), 0) : gradient;
}

}  // namespace cadre
