// A network as data: a list of operations over one flat parameter vector, each of which computes
// a value from earlier ones, and heads, which are named values. Two runners compute them: the CPU
// kernels (kernel_pass.h) and LibTorch on any device (model.h). network_builder.h makes one.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "policy/networks/layout.h"
#include "proto/experience.pb.h"

namespace cadre {

enum class LayerActivation { kNone, kTanh, kRelu, kGelu, kSilu };

struct ImageShape {
  int64_t channels = 0, height = 0, width = 0;

  int64_t size() const { return channels * height * width; }
};

// Identifies a value of a network: the inputs come first, then the result of each operation.
using ValueId = int;

// y = activation(x W^T + b). x [B, inputs] is the operands' rows, concatenated;
// W [outputs, inputs], y [B, outputs]. The activation is none, tanh or ReLU: those whose gradient
// follows from the output.
struct Dense {
  int64_t inputs = 0;
  int64_t outputs = 0;
  int64_t weight = 0;  // Offset of W in the flat vector.
  int64_t bias = 0;    // Offset of b.
  LayerActivation activation = LayerActivation::kNone;
  double gain = 1;  // Scales orthogonal initial weights.
};

// As torch.nn.Conv2d, with square filters, and a ReLU if `relu`.
struct Conv2d {
  ImageShape in;
  int64_t filters = 0, kernel = 0, stride = 1, padding = 0;
  int64_t weight = 0;  // Offset of [filters, channels, kernel, kernel].
  int64_t bias = 0;    // Offset of [filters].
  bool relu = false;
  bool channels_last = false;  // The operand is an input of the network, [B, H, W, C].
  bool flatten = false;        // The result is [B, size] in the order [C, H, W], not an image.
  double gain = 1;

  ImageShape out() const;
};

// As torch.nn.MaxPool2d.
struct MaxPool2d {
  ImageShape in;
  int64_t kernel = 0, stride = 0, padding = 0;

  ImageShape out() const;
};

// An image to [B, size] in the order [C, H, W].
struct Flatten {
  ImageShape in;
};

struct Activate {
  LayerActivation activation = LayerActivation::kNone;
};

// The sum of two operands of the same size.
struct Add {};

// The operands' rows, concatenated.
struct Concat {};

// Elements [offset, offset + size) of each row.
struct Slice {
  int64_t offset = 0, size = 0;
};

// y = (x - mean) / sqrt(variance + 1e-5) * scale + shift over each row (Ba et al. 2016).
struct LayerNorm {
  static constexpr float kEpsilon = 1e-5f;
  int64_t scale = 0;  // Offset of [size].
  int64_t shift = 0;  // Offset of [size].
};

// A layer of torch.nn.GRU or torch.nn.LSTM. The B = T S rows are T steps of S sequences, step by
// step: row t S + s. Operands: x [B, inputs], the network's "state" [S, all states] and "starts"
// [B]: before a row whose start is not 0, the state is set to 0. The result is the state after
// each step: h [units], and with kLstm c [units] behind it. No gradient flows into "state".
struct Recurrent {
  enum Kind { kGru, kLstm };
  Kind kind = kGru;
  int64_t inputs = 0, units = 0;
  int64_t state_offset = 0;  // Of this layer's state in a row of "state".
  // Offsets of [gates units, inputs], [gates units, units], [gates units], [gates units].
  int64_t weight_ih = 0, weight_hh = 0, bias_ih = 0, bias_hh = 0;

  int64_t gates() const { return kind == kGru ? 3 : 4; }
  int64_t state_size() const { return kind == kGru ? units : 2 * units; }
};

// q[i, z] = v[z] + a[i, z] - mean over actions j of a[j, z] (Wang et al. 2016,
// arXiv:1511.06581, eq. 9), separately for each atom z of a distribution. Operands: v
// [B, atoms] and a [B, actions * atoms], the atoms of an action adjacent; q is laid out like a.
struct Dueling {
  int64_t actions = 0;
  int64_t atoms = 1;
};

using OperationKind = std::variant<Dense, Conv2d, MaxPool2d, Flatten, Activate, Add, Concat, Slice,
                                   LayerNorm, Recurrent, Dueling>;

struct Operation {
  std::vector<ValueId> operands;  // Earlier values.
  int64_t size = 0;               // Elements in one row of its result.
  OperationKind kind;
};

// A column that a network reads, [B, shape...].
struct NetworkInput {
  std::string name;
  v1::DType dtype = v1::DTYPE_FLOAT32;  // Or DTYPE_UINT8.
  std::vector<int64_t> shape;           // The shape of one row.
  float scale = 1;                      // Bytes are multiplied by it.
  bool per_sequence = false;            // It has a row for each sequence: a recurrent state.

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

// The names of a recurrent network's further inputs, and of the head that is the state after each
// step.
inline constexpr char kStateInput[] = "state", kStartsInput[] = "starts", kStateHead[] = "state";

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
  // The index of the input with this name; -1 if there is none.
  int FindInput(absl::string_view name) const;
  // Elements of a recurrent state; 0 if the network has no memory.
  int64_t state_size() const;

  // The values that these heads depend on, including the heads, in order; inputs are left out.
  std::vector<ValueId> ValuesFor(absl::Span<const int> heads) const;
  // The part [offset, offset + size) of the flat vector that the operations of a head use. They
  // must be contiguous.
  struct Range {
    int64_t offset = 0, size = 0;
  };
  Range ParametersOf(int head) const;
};

// The parts of the flat vector that an operation uses.
std::vector<Network::Range> ParameterRanges(const Operation& operation);

}  // namespace cadre
