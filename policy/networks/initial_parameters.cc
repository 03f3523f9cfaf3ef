#include "policy/networks/initial_parameters.h"

#include <algorithm>
#include <cmath>

#include "absl/types/span.h"
#include "common/check.h"

namespace cadre {
namespace {

// A weight matrix [outputs, inputs] and the gain of its orthogonal initial values.
struct Matrix {
  int64_t offset, outputs, inputs;
  double gain;
};

// Gaussian rows made orthonormal (modified Gram-Schmidt, twice, which keeps them
// orthogonal to rounding), times the gain. Rows are orthonormal if outputs <= inputs, else
// columns are.
void FillOrthogonal(const Matrix& matrix, Random& random, absl::Span<float> parameters) {
  const bool rows_are_vectors = matrix.outputs <= matrix.inputs;
  const int64_t count = rows_are_vectors ? matrix.outputs : matrix.inputs;
  const int64_t length = rows_are_vectors ? matrix.inputs : matrix.outputs;
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
  float* weight = &parameters[matrix.offset];
  for (int64_t i = 0; i < count; ++i)
    for (int64_t k = 0; k < length; ++k)
      weight[rows_are_vectors ? i * length + k : k * count + i] =
          static_cast<float>(matrix.gain * basis[i * length + k]);
}

// The weight matrices of an operation.
std::vector<Matrix> MatricesOf(const OperationKind& kind) {
  if (const auto* dense = std::get_if<Dense>(&kind))
    return {{dense->weight, dense->outputs, dense->inputs, dense->gain}};
  if (const auto* conv = std::get_if<Conv2d>(&kind))
    return {
        {conv->weight, conv->filters, conv->in.channels * conv->kernel * conv->kernel, conv->gain}};
  if (const auto* layer = std::get_if<Recurrent>(&kind)) {
    const int64_t rows = layer->gates() * layer->units;
    return {{layer->weight_ih, rows, layer->inputs, 1}, {layer->weight_hh, rows, layer->units, 1}};
  }
  return {};
}

// What a bound of the uniform initial values depends on; 0 if nothing is drawn.
int64_t InputsOf(const OperationKind& kind) {
  if (const auto* dense = std::get_if<Dense>(&kind)) return dense->inputs;
  if (const auto* conv = std::get_if<Conv2d>(&kind))
    return conv->in.channels * conv->kernel * conv->kernel;
  if (const auto* layer = std::get_if<Recurrent>(&kind)) return layer->units;
  return 0;
}

// Scales of layer norms are 1.
std::vector<float> Blank(const Network& network) {
  std::vector<float> parameters(network.layout.size(), 0.0f);
  for (const Operation& operation : network.operations)
    if (const auto* norm = std::get_if<LayerNorm>(&operation.kind))
      std::fill_n(parameters.begin() + norm->scale, operation.size, 1.0f);
  return parameters;
}

}  // namespace

std::vector<float> OrthogonalParameters(const Network& network, Random& random) {
  std::vector<float> parameters = Blank(network);
  for (const Operation& operation : network.operations)
    for (const Matrix& matrix : MatricesOf(operation.kind))
      FillOrthogonal(matrix, random, absl::MakeSpan(parameters));
  return parameters;
}

std::vector<float> UniformParameters(const Network& network, Random& random) {
  std::vector<float> parameters = Blank(network);
  for (const Operation& operation : network.operations) {
    const int64_t inputs = InputsOf(operation.kind);
    if (inputs == 0) continue;
    const double bound = 1 / std::sqrt(static_cast<double>(inputs));
    for (const Network::Range& range : ParameterRanges(operation))
      for (int64_t i = 0; i < range.size; ++i)
        parameters[range.offset + i] = static_cast<float>(random.Uniform(-bound, bound));
  }
  return parameters;
}

}  // namespace cadre
