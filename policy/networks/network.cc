#include "policy/networks/network.h"

#include <algorithm>

#include "common/check.h"

namespace cadre {
namespace {

int64_t SizeAfter(int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
  return (size + 2 * padding - kernel) / stride + 1;
}

using Ranges = std::vector<Network::Range>;

Ranges RangesOf(const Dense& dense, int64_t) {
  return {{dense.weight, dense.inputs * dense.outputs}, {dense.bias, dense.outputs}};
}

Ranges RangesOf(const Conv2d& conv, int64_t) {
  return {{conv.weight, conv.filters * conv.in.channels * conv.kernel * conv.kernel},
          {conv.bias, conv.filters}};
}

Ranges RangesOf(const LayerNorm& norm, int64_t size) {
  return {{norm.scale, size}, {norm.shift, size}};
}

Ranges RangesOf(const Recurrent& layer, int64_t) {
  const int64_t rows = layer.gates() * layer.units;
  return {{layer.weight_ih, rows * layer.inputs},
          {layer.weight_hh, rows * layer.units},
          {layer.bias_ih, rows},
          {layer.bias_hh, rows}};
}

template <typename Kind>
Ranges RangesOf(const Kind&, int64_t) {
  return {};
}

}  // namespace

ImageShape Conv2d::out() const {
  return {filters, SizeAfter(in.height, kernel, stride, padding),
          SizeAfter(in.width, kernel, stride, padding)};
}

ImageShape MaxPool2d::out() const {
  return {in.channels, SizeAfter(in.height, kernel, stride, padding),
          SizeAfter(in.width, kernel, stride, padding)};
}

int64_t NetworkInput::size() const {
  int64_t size = 1;
  for (const int64_t dimension : shape) size *= dimension;
  return size;
}

const Operation* Network::OperationOf(ValueId value) const {
  const int index = value - static_cast<int>(inputs.size());
  return index < 0 ? nullptr : &operations[index];
}

int64_t Network::RowSize(ValueId value) const {
  const Operation* operation = OperationOf(value);
  return operation == nullptr ? inputs[value].size() : operation->size;
}

int Network::Head(absl::string_view name) const {
  const auto head = std::ranges::find(heads, name, &NetworkHead::name);
  CADRE_CHECK(head != heads.end());
  return static_cast<int>(head - heads.begin());
}

int Network::FindInput(absl::string_view name) const {
  const auto input = std::ranges::find(inputs, name, &NetworkInput::name);
  return input == inputs.end() ? -1 : static_cast<int>(input - inputs.begin());
}

int64_t Network::state_size() const {
  const int input = FindInput(kStateInput);
  return input < 0 ? 0 : inputs[input].size();
}

std::vector<ValueId> Network::ValuesFor(absl::Span<const int> wanted) const {
  std::vector<bool> needed(value_count(), false);
  for (const int head : wanted) needed[heads[head].value] = true;
  for (ValueId value = static_cast<int>(value_count()) - 1; value >= 0; --value) {
    const Operation* operation = OperationOf(value);
    if (!needed[value] || operation == nullptr) continue;
    for (const ValueId operand : operation->operands) needed[operand] = true;
  }
  std::vector<ValueId> values;
  for (int value = static_cast<int>(inputs.size()); value < value_count(); ++value)
    if (needed[value]) values.push_back(value);
  return values;
}

Network::Range Network::ParametersOf(int head) const {
  int64_t begin = layout.size(), end = 0, size = 0;
  for (const ValueId value : ValuesFor({head}))
    for (const Range& range : ParameterRanges(*OperationOf(value))) {
      begin = std::min(begin, range.offset);
      end = std::max(end, range.offset + range.size);
      size += range.size;
    }
  CADRE_CHECK(end - begin == size);
  return {begin, size};
}

std::vector<Network::Range> ParameterRanges(const Operation& operation) {
  return std::visit([&](const auto& kind) { return RangesOf(kind, operation.size); },
                    operation.kind);
}

}  // namespace cadre
