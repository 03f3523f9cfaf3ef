#include "policy/kernel_pass.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/kernels/kernels.h"
#include "policy/action_values.h"

namespace cadre {
namespace {

void GrowTo(std::vector<float>& buffer, int64_t size) {
  if (static_cast<int64_t>(buffer.size()) < size) buffer.resize(size);
}

}  // namespace

KernelWeights::KernelWeights(const Network& network)
    : network_(network), layers_(network.operations.size()) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Operation& operation = network.operations[i];
    const auto* dense = std::get_if<Dense>(&operation.kind);
    if (dense == nullptr) continue;
    layers_[i].bias.resize(dense->outputs);
    for (const ValueId operand : operation.operands)
      layers_[i].packed.emplace_back(
          kernels::Best().packed_size(network.RowSize(operand), dense->outputs));
  }
}

void KernelWeights::Load(absl::Span<const float> parameters) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Operation& operation = network_.operations[i];
    const auto* dense = std::get_if<Dense>(&operation.kind);
    if (dense == nullptr) continue;
    std::copy_n(&parameters[dense->bias], dense->outputs, layers_[i].bias.data());
    int64_t column = 0;
    for (size_t k = 0; k < operation.operands.size(); ++k) {
      const int64_t columns = network_.RowSize(operation.operands[k]);
      kernels::Best().pack(columns, dense->outputs,
                           {&parameters[dense->weight + column], 1, dense->inputs},
                           layers_[i].packed[k].data());
      column += columns;
    }
  }
}

KernelPass::KernelPass(const Network& network, const KernelWeights& weights, std::vector<int> heads)
    : network_(network),
      weights_(weights),
      heads_(std::move(heads)),
      values_(network.ValuesFor(heads_)),
      inputs_(network.inputs.size()),
      outputs_(network.operations.size()),
      slots_(network.value_count()) {}

const float* KernelPass::Rows(ValueId value) const {
  const size_t inputs = inputs_.size();
  return static_cast<size_t>(value) < inputs ? inputs_[value] : outputs_[value - inputs].data();
}

void KernelPass::Forward(absl::Span<const float* const> inputs, int64_t batch) {
  CADRE_CHECK(inputs.size() == inputs_.size());
  std::copy(inputs.begin(), inputs.end(), inputs_.begin());
  batch_ = batch;
  for (const ValueId value : values_) {
    const Operation& operation = *network_.OperationOf(value);
    const size_t index = value - inputs_.size();
    GrowTo(outputs_[index], batch * operation.size);
    float* const out = outputs_[index].data();
    if (const auto* dense = std::get_if<Dense>(&operation.kind))
      Forward(*dense, operation, weights_.layers_[index], out);
    else
      Forward(std::get<Dueling>(operation.kind), operation, out);
  }
}

void KernelPass::Forward(const Dense& dense, const Operation& operation,
                         const KernelWeights::Layer& layer, float* out) {
  const kernels::KernelTable& kernel = kernels::Best();
  for (size_t k = 0; k < operation.operands.size(); ++k) {
    const ValueId operand = operation.operands[k];
    const int64_t columns = network_.RowSize(operand);
    const float* const x = Rows(operand);
    CADRE_CHECK(x != nullptr);
    kernel.gemm_packed(batch_, dense.outputs, columns, {x, columns, 1}, layer.packed[k].data(), out,
                       dense.outputs, k == 0 ? layer.bias.data() : nullptr, /*accumulate=*/k > 0);
  }
  if (dense.activation == LayerActivation::kTanh) kernel.tanh(batch_ * dense.outputs, out);
  if (dense.activation == LayerActivation::kRelu) kernel.relu(batch_ * dense.outputs, out);
}

void KernelPass::Forward(const Dueling& dueling, const Operation& operation, float* out) {
  const float* const advantages = Rows(operation.operands[1]);
  std::copy_n(advantages, batch_ * operation.size, out);
  AddStateValues({Rows(operation.operands[0]), static_cast<size_t>(batch_ * dueling.atoms)},
                 dueling.actions, dueling.atoms,
                 {out, static_cast<size_t>(batch_ * operation.size)});
}

// Which gradients lead to something that is asked for.
void KernelPass::FindWanted() {
  for (size_t i = 0; i < inputs_.size(); ++i)
    slots_[i].wanted = !input_gradients_.empty() && input_gradients_[i] != nullptr;
  for (const ValueId value : values_) {
    const Operation& operation = *network_.OperationOf(value);
    slots_[value].wanted =
        (!gradient_.empty() && std::holds_alternative<Dense>(operation.kind)) ||
        std::ranges::any_of(operation.operands, [&](ValueId v) { return slots_[v].wanted; });
  }
}

KernelPass::Destination KernelPass::DestinationOf(ValueId operand) {
  Slot& slot = slots_[operand];
  if (slot.rows != nullptr) return {slot.rows, true};
  if (static_cast<size_t>(operand) < inputs_.size()) {
    slot.rows = input_gradients_[operand];
  } else {
    if (free_buffers_.empty()) {
      free_buffers_.push_back(static_cast<int>(buffers_.size()));
      buffers_.emplace_back();
    }
    slot.buffer = free_buffers_.back();
    free_buffers_.pop_back();
    GrowTo(buffers_[slot.buffer], batch_ * network_.RowSize(operand));
    slot.rows = buffers_[slot.buffer].data();
  }
  return {slot.rows, false};
}

void KernelPass::Release(ValueId value) {
  Slot& slot = slots_[value];
  if (slot.buffer >= 0) free_buffers_.push_back(slot.buffer);
  slot.buffer = -1;
}

void KernelPass::Backward(absl::Span<const float> parameters,
                          absl::Span<float* const> head_gradients, absl::Span<float> gradient,
                          absl::Span<float* const> input_gradients) {
  CADRE_CHECK(head_gradients.size() == heads_.size());
  parameters_ = parameters;
  gradient_ = gradient;
  input_gradients_ = input_gradients;
  FindWanted();
  for (Slot& slot : slots_) slot.rows = nullptr;
  for (size_t h = 0; h < heads_.size(); ++h)
    slots_[network_.heads[heads_[h]].value].rows = head_gradients[h];
  for (size_t i = values_.size(); i-- > 0;) {
    const ValueId value = values_[i];
    float* const rows = slots_[value].rows;
    if (rows == nullptr) continue;
    if (slots_[value].wanted) Backward(*network_.OperationOf(value), value, rows);
    Release(value);
  }
  for (size_t i = 0; i < inputs_.size(); ++i)
    if (slots_[i].wanted && slots_[i].rows == nullptr)
      std::fill_n(input_gradients[i], batch_ * network_.inputs[i].size(), 0.0f);
}

void KernelPass::Backward(const Operation& operation, ValueId value, float* gradient) {
  if (const auto* dense = std::get_if<Dense>(&operation.kind))
    Backward(*dense, operation, value, gradient);
  else
    Backward(std::get<Dueling>(operation.kind), operation, value, gradient);
}

void KernelPass::Backward(const Dense& dense, const Operation& operation, ValueId value,
                          float* gradient) {
  const kernels::KernelTable& kernel = kernels::Best();
  const int64_t outputs = dense.outputs;
  if (dense.activation == LayerActivation::kTanh)
    kernel.tanh_backward(batch_ * outputs, Rows(value), gradient);
  if (dense.activation == LayerActivation::kRelu)
    kernel.relu_backward(batch_ * outputs, Rows(value), gradient);
  if (!gradient_.empty()) kernel.column_sums(batch_, outputs, gradient, &gradient_[dense.bias]);
  int64_t column = 0;
  for (const ValueId operand : operation.operands) {
    const int64_t columns = network_.RowSize(operand);
    if (!gradient_.empty())  // dW [outputs, columns] += d^T x.
      kernel.gemm(outputs, columns, batch_, {gradient, 1, outputs}, Rows(operand), columns,
                  &gradient_[dense.weight + column], dense.inputs, /*bias=*/nullptr,
                  /*accumulate=*/true);
    if (slots_[operand].wanted) {  // dx [B, columns] = d W.
      const Destination to = DestinationOf(operand);
      kernel.gemm(batch_, columns, outputs, {gradient, outputs, 1},
                  &parameters_[dense.weight + column], dense.inputs, to.rows, columns,
                  /*bias=*/nullptr, /*accumulate=*/to.add);
    }
    column += columns;
  }
}

void KernelPass::Backward(const Dueling& dueling, const Operation& operation, ValueId value,
                          float* gradient) {
  const ValueId state_value = operation.operands[0], advantage = operation.operands[1];
  const Destination to_value = DestinationOf(state_value);
  CADRE_CHECK(!to_value.add && slots_[advantage].rows == nullptr);  // Nobody else reads them.
  StateValueGradient({gradient, static_cast<size_t>(batch_ * operation.size)}, dueling.actions,
                     dueling.atoms, {to_value.rows, static_cast<size_t>(batch_ * dueling.atoms)});
  // In place: the buffer goes on to the advantage.
  slots_[advantage].rows = gradient;
  std::swap(slots_[advantage].buffer, slots_[value].buffer);
}

}  // namespace cadre
