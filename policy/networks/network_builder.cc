#include "policy/networks/network_builder.h"

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace cadre {

ValueId NetworkBuilder::AddInput(NetworkInput input) {
  CADRE_CHECK(network_.operations.empty());
  network_.inputs.push_back(std::move(input));
  return static_cast<ValueId>(network_.inputs.size()) - 1;
}

ValueId NetworkBuilder::AddInput(std::string name, std::vector<int64_t> shape, v1::DType dtype) {
  return AddInput({.name = std::move(name), .dtype = dtype, .shape = std::move(shape)});
}

ValueId NetworkBuilder::AddOperation(Operation operation) {
  network_.operations.push_back(std::move(operation));
  images_.emplace_back();
  return static_cast<ValueId>(network_.value_count()) - 1;
}

int64_t NetworkBuilder::RowSizes(const std::vector<ValueId>& operands) const {
  int64_t size = 0;
  for (const ValueId operand : operands) size += network_.RowSize(operand);
  return size;
}

ImageShape NetworkBuilder::ImageOf(ValueId value) const {
  const size_t inputs = network_.inputs.size();
  return static_cast<size_t>(value) < inputs ? ImageShape() : images_[value - inputs];
}

ValueId NetworkBuilder::AddDense(absl::string_view name, std::vector<ValueId> operands,
                                 int64_t outputs, LayerActivation activation, double gain) {
  const bool own = activation == LayerActivation::kGelu || activation == LayerActivation::kSilu;
  Dense dense{.inputs = RowSizes(operands),
              .outputs = outputs,
              .activation = own ? LayerActivation::kNone : activation,
              .gain = gain};
  dense.weight = network_.layout.Add(absl::StrCat(name, ".weight"), {outputs, dense.inputs});
  dense.bias = network_.layout.Add(absl::StrCat(name, ".bias"), {outputs});
  const ValueId value = AddOperation({std::move(operands), outputs, dense});
  return own ? AddActivate(value, activation) : value;
}

ValueId NetworkBuilder::AddConv2d(absl::string_view name, ValueId operand, Conv2d conv,
                                  LayerActivation activation) {
  CADRE_CHECK(network_.RowSize(operand) == conv.in.size());
  conv.relu = activation == LayerActivation::kRelu;
  conv.weight = network_.layout.Add(absl::StrCat(name, ".weight"),
                                    {conv.filters, conv.in.channels, conv.kernel, conv.kernel});
  conv.bias = network_.layout.Add(absl::StrCat(name, ".bias"), {conv.filters});
  const ValueId value = AddOperation({{operand}, conv.out().size(), conv});
  images_.back() = conv.out();
  return conv.relu ? value : AddActivate(value, activation);
}

ValueId NetworkBuilder::AddMaxPool2d(ValueId operand, int64_t kernel, int64_t stride,
                                     int64_t padding) {
  const MaxPool2d pool{ImageOf(operand), kernel, stride, padding};
  CADRE_CHECK(pool.in.size() > 0);
  const ValueId value = AddOperation({{operand}, pool.out().size(), pool});
  images_.back() = pool.out();
  return value;
}

ValueId NetworkBuilder::AddFlatten(ValueId operand) {
  const ImageShape image = ImageOf(operand);
  CADRE_CHECK(image.size() > 0);
  // A convolution writes either order; whoever else reads it would want an image.
  Operation& last = network_.operations.back();
  auto* const conv = std::get_if<Conv2d>(&last.kind);
  if (conv != nullptr && operand + 1 == network_.value_count()) {
    conv->flatten = true;
    images_.back() = {};
    return operand;
  }
  return AddOperation({{operand}, image.size(), Flatten{image}});
}

ValueId NetworkBuilder::AddActivate(ValueId operand, LayerActivation activation) {
  if (activation == LayerActivation::kNone) return operand;
  const ImageShape image = ImageOf(operand);
  const ValueId value = AddOperation({{operand}, network_.RowSize(operand), Activate{activation}});
  images_.back() = image;
  return value;
}

ValueId NetworkBuilder::AddSum(ValueId a, ValueId b) {
  CADRE_CHECK(network_.RowSize(a) == network_.RowSize(b));
  const ImageShape image = ImageOf(a);
  const ValueId value = AddOperation({{a, b}, network_.RowSize(a), Add{}});
  images_.back() = image;
  return value;
}

ValueId NetworkBuilder::AddConcat(std::vector<ValueId> operands) {
  if (operands.size() == 1) return operands[0];
  const int64_t size = RowSizes(operands);
  return AddOperation({std::move(operands), size, Concat{}});
}

ValueId NetworkBuilder::AddLayerNorm(absl::string_view name, ValueId operand) {
  const int64_t size = network_.RowSize(operand);
  LayerNorm norm;
  norm.scale = network_.layout.Add(absl::StrCat(name, ".weight"), {size});
  norm.shift = network_.layout.Add(absl::StrCat(name, ".bias"), {size});
  return AddOperation({{operand}, size, norm});
}

ValueId NetworkBuilder::AddRecurrent(absl::string_view name, Recurrent::Kind kind,
                                     std::vector<ValueId> operands, int64_t units) {
  const int state = network_.FindInput(kStateInput), starts = network_.FindInput(kStartsInput);
  CADRE_CHECK(state >= 0 && starts >= 0);
  Recurrent layer{.kind = kind, .inputs = RowSizes(operands), .units = units};
  layer.state_offset = network_.inputs[state].shape[0];
  network_.inputs[state].shape[0] += layer.state_size();
  const int64_t rows = layer.gates() * units;
  const auto add = [&](const char* part, std::vector<int64_t> shape) {
    return network_.layout.Add(absl::StrCat(name, ".", part), std::move(shape));
  };
  layer.weight_ih = add("weight_ih", {rows, layer.inputs});
  layer.weight_hh = add("weight_hh", {rows, units});
  layer.bias_ih = add("bias_ih", {rows});
  layer.bias_hh = add("bias_hh", {rows});
  const ValueId value =
      AddOperation({{AddConcat(std::move(operands)), state, starts}, layer.state_size(), layer});
  states_.push_back(value);
  return kind == Recurrent::kGru ? value : AddOperation({{value}, units, Slice{0, units}});
}

ValueId NetworkBuilder::AddDueling(ValueId value, ValueId advantage, int64_t actions,
                                   int64_t atoms) {
  CADRE_CHECK(network_.RowSize(value) == atoms && network_.RowSize(advantage) == actions * atoms);
  return AddOperation({{value, advantage}, actions * atoms, Dueling{actions, atoms}});
}

void NetworkBuilder::AddHead(std::string name, ValueId value) {
  network_.heads.push_back({std::move(name), value});
}

int64_t NetworkBuilder::AddBounded(std::string name, int64_t size, float min, float max) {
  const int64_t offset = network_.layout.Add(std::move(name), {size});
  network_.bounded.push_back({offset, size, min, max});
  return offset;
}

Network NetworkBuilder::Build() && {
  if (!states_.empty()) AddHead(kStateHead, AddConcat(states_));
  return std::move(network_);
}

}  // namespace cadre
