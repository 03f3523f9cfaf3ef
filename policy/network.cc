#include "policy/network.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace cadre {
namespace {

// Gaussian rows made orthonormal (modified Gram-Schmidt, twice, which keeps them
// orthogonal to rounding), times the gain. W [outputs, inputs]: rows are orthonormal
// where outputs <= inputs, else columns are.
void FillOrthogonal(const Dense& layer, Random& random, absl::Span<float> parameters) {
  const bool rows_are_vectors = layer.outputs <= layer.inputs;
  const int64_t count = rows_are_vectors ? layer.outputs : layer.inputs;
  const int64_t length = rows_are_vectors ? layer.inputs : layer.outputs;
  std::vector<double> basis(count * length);
  for (double& x : basis) x = random.Normal();
  for (int64_t i = 0; i < count; ++i) {
    double* row = &basis[i * length];
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t j = 0; j < i; ++j) {
        const double* other = &basis[j * length];
        double dot = 0;
        for (int64_t k = 0; k < length; ++k) dot += row[k] * other[k];
        for (int64_t k = 0; k < length; ++k) row[k] -= dot * other[k];
      }
      double norm = 0;
      for (int64_t k = 0; k < length; ++k) norm += row[k] * row[k];
      norm = std::sqrt(norm);
      CADRE_CHECK(norm > 0);
      for (int64_t k = 0; k < length; ++k) row[k] /= norm;
    }
  }
  float* weight = &parameters[layer.weight];
  for (int64_t i = 0; i < count; ++i)
    for (int64_t k = 0; k < length; ++k)
      weight[rows_are_vectors ? i * length + k : k * count + i] =
          static_cast<float>(layer.gain * basis[i * length + k]);
}

void FillUniform(const Dense& layer, Random& random, absl::Span<float> parameters) {
  const double bound = 1 / std::sqrt(static_cast<double>(layer.inputs));
  const auto fill = [&](absl::Span<float> block) {
    for (float& x : block) x = static_cast<float>(random.Uniform(-bound, bound));
  };
  fill(parameters.subspan(layer.weight, layer.inputs * layer.outputs));
  fill(parameters.subspan(layer.bias, layer.outputs));
}

template <typename Fill>
std::vector<float> FillLayers(const Network& network, Random& random, const Fill& fill) {
  std::vector<float> parameters(network.layout.size(), 0.0f);
  for (const Operation& operation : network.operations)
    if (const auto* dense = std::get_if<Dense>(&operation.kind))
      fill(*dense, random, absl::MakeSpan(parameters));
  return parameters;
}

}  // namespace

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
  for (const ValueId value : ValuesFor({head})) {
    const auto* dense = std::get_if<Dense>(&OperationOf(value)->kind);
    if (dense == nullptr) continue;
    begin = std::min({begin, dense->weight, dense->bias});
    end = std::max(
        {end, dense->weight + dense->inputs * dense->outputs, dense->bias + dense->outputs});
    size += (dense->inputs + 1) * dense->outputs;
  }
  CADRE_CHECK(end - begin == size);
  return {begin, size};
}

ValueId NetworkBuilder::AddInput(std::string name, std::vector<int64_t> shape, v1::DType dtype) {
  CADRE_CHECK(network_.operations.empty());
  network_.inputs.push_back({std::move(name), dtype, std::move(shape)});
  return static_cast<ValueId>(network_.inputs.size()) - 1;
}

ValueId NetworkBuilder::AddOperation(Operation operation) {
  network_.operations.push_back(std::move(operation));
  return static_cast<ValueId>(network_.value_count()) - 1;
}

ValueId NetworkBuilder::AddDense(absl::string_view name, std::vector<ValueId> operands,
                                 int64_t outputs, LayerActivation activation, double gain) {
  Dense dense{.outputs = outputs, .activation = activation, .gain = gain};
  for (const ValueId operand : operands) dense.inputs += network_.RowSize(operand);
  dense.weight = network_.layout.Add(absl::StrCat(name, ".weight"), {outputs, dense.inputs});
  dense.bias = network_.layout.Add(absl::StrCat(name, ".bias"), {outputs});
  return AddOperation({std::move(operands), outputs, dense});
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

std::vector<float> OrthogonalParameters(const Network& network, Random& random) {
  return FillLayers(network, random, FillOrthogonal);
}

std::vector<float> UniformParameters(const Network& network, Random& random) {
  return FillLayers(network, random, FillUniform);
}

}  // namespace cadre
