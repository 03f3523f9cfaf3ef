#include "policy/networks/kernel_weights.h"

#include <algorithm>

namespace cadre {
namespace {

using Layer = KernelWeights::Layer;
using Parameters = absl::Span<const float>;

// Packs the columns [first, first + columns) of W [outputs, inputs], transposed.
void PackColumns(Parameters parameters, int64_t weight, int64_t outputs, int64_t inputs,
                 int64_t first, int64_t columns, std::vector<float>& packed) {
  const kernels::KernelTable& kernel = kernels::Best();
  packed.resize(kernel.packed_size(columns, outputs));
  kernel.pack(columns, outputs, {&parameters[weight + first], 1, inputs}, packed.data());
}

void CopyBlock(Parameters parameters, int64_t offset, int64_t size, std::vector<float>& out) {
  out.insert(out.end(), &parameters[offset], &parameters[offset] + size);
}

void Pack(const Network& network, const Operation& operation, const Dense& dense,
          Parameters parameters, Layer& layer) {
  layer.packed.resize(operation.operands.size());
  int64_t column = 0;
  for (size_t k = 0; k < operation.operands.size(); ++k) {
    const int64_t columns = network.RowSize(operation.operands[k]);
    PackColumns(parameters, dense.weight, dense.outputs, dense.inputs, column, columns,
                layer.packed[k]);
    column += columns;
  }
  CopyBlock(parameters, dense.bias, dense.outputs, layer.bias);
}

void Pack(const Network& network, const Operation& operation, const Conv2d& conv,
          Parameters parameters, Layer& layer) {
  const kernels::Conv2d shape = KernelShape(network, operation, conv);
  layer.packed.resize(1);
  layer.packed[0].resize(kernels::Best().conv2d_packed_size(shape));
  kernels::Best().conv2d_pack(shape, &parameters[conv.weight], layer.packed[0].data());
  CopyBlock(parameters, conv.bias, conv.filters, layer.bias);
}

void Pack(const Network&, const Operation& operation, const LayerNorm& norm, Parameters parameters,
          Layer& layer) {
  CopyBlock(parameters, norm.scale, operation.size, layer.bias);
  CopyBlock(parameters, norm.shift, operation.size, layer.bias);
}

void Pack(const Network&, const Operation&, const Recurrent& recurrent, Parameters parameters,
          Layer& layer) {
  const int64_t rows = recurrent.gates() * recurrent.units;
  layer.packed.resize(2);
  PackColumns(parameters, recurrent.weight_ih, rows, recurrent.inputs, 0, recurrent.inputs,
              layer.packed[0]);
  PackColumns(parameters, recurrent.weight_hh, rows, recurrent.units, 0, recurrent.units,
              layer.packed[1]);
  CopyBlock(parameters, recurrent.bias_ih, rows, layer.bias);
  if (recurrent.kind == Recurrent::kGru) {
    CopyBlock(parameters, recurrent.bias_hh, rows, layer.bias);
  } else {
    for (int64_t i = 0; i < rows; ++i) layer.bias[i] += parameters[recurrent.bias_hh + i];
  }
}

template <typename Kind>
void Pack(const Network&, const Operation&, const Kind&, Parameters, Layer&) {}

}  // namespace

KernelWeights::KernelWeights(const Network& network)
    : network_(network), layers_(network.operations.size()) {}

void KernelWeights::Load(absl::Span<const float> parameters) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Operation& operation = network_.operations[i];
    layers_[i].bias.clear();
    std::visit([&](const auto& kind) { Pack(network_, operation, kind, parameters, layers_[i]); },
               operation.kind);
  }
}

kernels::Conv2d KernelShape(const Network& network, const Operation& operation,
                            const Conv2d& conv) {
  constexpr kernels::Layout kPlanes = kernels::Layout::kPlanes, kPixels = kernels::Layout::kPixels;
  const bool first = network.OperationOf(operation.operands[0]) == nullptr;
  return {.channels = conv.in.channels,
          .height = conv.in.height,
          .width = conv.in.width,
          .filters = conv.filters,
          .kernel_height = conv.kernel,
          .kernel_width = conv.kernel,
          .stride = conv.stride,
          .padding = conv.padding,
          .input_layout = first && !conv.channels_last ? kPlanes : kPixels,
          .output_layout = conv.flatten ? kPlanes : kPixels};
}

}  // namespace cadre
