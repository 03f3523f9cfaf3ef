#include "policy/networks/kernel_operation.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace cadre {

namespace {

std::vector<int64_t> RowSizes(const Network& network) {
  std::vector<int64_t> sizes(network.value_count());
  for (size_t value = 0; value < sizes.size(); ++value)
    sizes[value] = network.RowSize(static_cast<ValueId>(value));
  return sizes;
}

}  // namespace

PassRows::PassRows(const Network& network, absl::Span<const ValueId> values)
    : network_(network),
      row_sizes_(RowSizes(network)),
      inputs_(network.inputs.size()),
      converts_(network.inputs.size(), false),
      converted_(network.inputs.size()),
      outputs_(network.operations.size()) {
  for (const ValueId value : values) {
    const Operation& operation = *network.OperationOf(value);
    if (std::holds_alternative<Conv2d>(operation.kind)) continue;
    for (const ValueId operand : operation.operands)
      if (IsBytes(operand)) converts_[operand] = true;
  }
}

void PassRows::Begin(absl::Span<const void* const> inputs, int64_t batch, int64_t sequences) {
  CADRE_CHECK(inputs.size() == inputs_.size());
  std::copy(inputs.begin(), inputs.end(), inputs_.begin());
  batch_ = batch;
  sequences_ = sequences;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!converts_[i]) continue;
    const int64_t size = batch * network_.inputs[i].size();
    const uint8_t* const bytes = Bytes(static_cast<ValueId>(i));
    float* const out = Room(converted_[i], size);
    for (int64_t k = 0; k < size; ++k) out[k] = network_.inputs[i].scale * bytes[k];
  }
}

const float* PassRows::Floats(ValueId value) const {
  if (!IsInput(value)) return outputs_[value - inputs_.size()].data();
  if (converts_[value]) return converted_[value].data();
  CADRE_CHECK(inputs_[value] != nullptr && !IsBytes(value));
  return static_cast<const float*>(inputs_[value]);
}

float* PassRows::Result(ValueId value) {
  return Room(outputs_[value - inputs_.size()], batch_ * row_sizes_[value]);
}

void PassGradients::Begin(int64_t batch, absl::Span<const ValueId> values,
                          absl::Span<const float> parameters, absl::Span<float> gradient,
                          absl::Span<float* const> input_gradients) {
  batch_ = batch;
  parameters_ = parameters;
  gradient_ = gradient;
  input_gradients_ = input_gradients;
  for (Slot& slot : slots_) slot.rows = nullptr;
  for (size_t i = 0; i < network_.inputs.size(); ++i)
    slots_[i].wanted = !input_gradients.empty() && input_gradients[i] != nullptr;
  for (const ValueId value : values) {
    const Operation& operation = *network_.OperationOf(value);
    slots_[value].wanted =
        (!gradient.empty() && !ParameterRanges(operation).empty()) ||
        std::ranges::any_of(operation.operands, [&](ValueId v) { return slots_[v].wanted; });
  }
}

PassGradients::Destination PassGradients::DestinationOf(ValueId operand) {
  Slot& slot = slots_[operand];
  if (slot.rows != nullptr) return {slot.rows, true};
  if (IsInput(operand)) {
    slot.rows = input_gradients_[operand];
  } else {
    if (free_buffers_.empty()) {
      free_buffers_.push_back(static_cast<int>(buffers_.size()));
      buffers_.emplace_back();
    }
    slot.buffer = free_buffers_.back();
    free_buffers_.pop_back();
    slot.rows = Room(buffers_[slot.buffer], batch_ * network_.RowSize(operand));
  }
  return {slot.rows, false};
}

void PassGradients::PassOn(ValueId value, ValueId operand) {
  if (!slots_[operand].wanted) return;
  float* const rows = slots_[value].rows;
  if (slots_[operand].rows == nullptr && !IsInput(operand)) {
    slots_[operand].rows = rows;
    std::swap(slots_[operand].buffer, slots_[value].buffer);
    return;
  }
  const int64_t size = batch_ * network_.RowSize(operand);
  const Destination to = DestinationOf(operand);
  if (!to.add) {
    std::copy_n(rows, size, to.rows);
  } else {
    for (int64_t i = 0; i < size; ++i) to.rows[i] += rows[i];
  }
}

void PassGradients::Release(ValueId value) {
  Slot& slot = slots_[value];
  if (slot.buffer >= 0) free_buffers_.push_back(slot.buffer);
  slot.buffer = -1;
}

}  // namespace cadre
