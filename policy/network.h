// A network as data: a list of operations over one flat parameter vector, each of which computes
// a value from earlier ones, and heads, which are named values. Two runners compute them: the CPU
// kernels (kernel_pass.h) and LibTorch on any device (model.h).
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "policy/layout.h"
#include "proto/experience.pb.h"

namespace cadre {

enum class LayerActivation { kNone, kTanh, kRelu };

// y = activation(x W^T + b). x [B, inputs] is the operands' rows, concatenated;
// W [outputs, inputs], y [B, outputs].
struct Dense {
  int64_t inputs = 0;
  int64_t outputs = 0;
  int64_t weight = 0;  // Offset of W in the flat vector.
  int64_t bias = 0;    // Offset of b.
  LayerActivation activation = LayerActivation::kNone;
  double gain = 1;  // Scales orthogonal initial weights.
};

// q[i, z] = v[z] + a[i, z] - mean over actions j of a[j, z] (Wang et al. 2016,
// arXiv:1511.06581, eq. 9), separately for each atom z of a distribution. Operands: v
// [B, atoms] and a [B, actions * atoms], the atoms of an action adjacent; q is laid out like a.
struct Dueling {
  int64_t actions = 0;
  int64_t atoms = 1;
};

// Identifies a value of a network: the inputs come first, then the result of each operation.
using ValueId = int;

struct Operation {
  std::vector<ValueId> operands;  // Earlier values.
  int64_t size = 0;               // Elements in one row of its result.
  std::variant<Dense, Dueling> kind;
};

// A column that a network reads, [B, shape...].
struct NetworkInput {
  std::string name;
  v1::DType dtype = v1::DTYPE_FLOAT32;
  std::vector<int64_t> shape;  // The shape of one row.

  int64_t size() const;
};

// An output of the network, [B, size].
struct NetworkHead {
  std::string name;
  ValueId value = 0;
};

// Parameters that are clamped to [min, max] after each step.
struct BoundedParameters {
  int64_t offset = 0;
  int64_t size = 0;
  float min = 0, max = 0;
};

struct Network {
  ParameterLayout layout;
  std::vector<NetworkInput> inputs;
  std::vector<Operation> operations;  // Topologically sorted.
  std::vector<NetworkHead> heads;
  std::vector<BoundedParameters> bounded;

  int64_t value_count() const { return static_cast<int64_t>(inputs.size() + operations.size()); }
  // Elements in one row of a value.
  int64_t RowSize(ValueId value) const;
  // Null for an input.
  const Operation* OperationOf(ValueId value) const;
  // The index of the head with this name, which must exist.
  int Head(absl::string_view name) const;

  // The values that these heads depend on, including the heads, in order; inputs are left out.
  std::vector<ValueId> ValuesFor(absl::Span<const int> heads) const;
  // The part [offset, offset + size) of the flat vector that the operations of a head use. They
  // must be contiguous.
  struct Range {
    int64_t offset = 0, size = 0;
  };
  Range ParametersOf(int head) const;
};

// Builds a network; each Add call returns the value that it adds.
class NetworkBuilder {
 public:
  ValueId AddInput(std::string name, std::vector<int64_t> shape,
                   v1::DType dtype = v1::DTYPE_FLOAT32);
  // Parameters are named `name`.weight [outputs, inputs] and `name`.bias [outputs].
  ValueId AddDense(absl::string_view name, std::vector<ValueId> operands, int64_t outputs,
                   LayerActivation activation, double gain);
  ValueId AddDueling(ValueId value, ValueId advantage, int64_t actions, int64_t atoms);
  void AddHead(std::string name, ValueId value);
  // Parameters that no operation uses; returns their offset.
  int64_t AddBounded(std::string name, int64_t size, float min, float max);

  Network Build() && { return std::move(network_); }

 private:
  ValueId AddOperation(Operation operation);

  Network network_;
};

// Initial parameters [P], drawn layer by layer in the order of the operations; 0 for parameters
// that no operation uses.
//
// Orthogonal weights (Saxe et al. 2014) times the layer's gain, zero biases.
std::vector<float> OrthogonalParameters(const Network& network, Random& random);
// Uniform in +-1/sqrt(inputs) for weights and biases (LeCun et al. 1998; what LibTorch's Linear
// does too).
std::vector<float> UniformParameters(const Network& network, Random& random);

}  // namespace cadre
