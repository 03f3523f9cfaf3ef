// Builds a network; each Add call returns the value that it adds. The shapes must fit: whoever
// builds from a config checks them first.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "policy/networks/network.h"

namespace cadre {

class NetworkBuilder {
 public:
  // Inputs come before operations.
  ValueId AddInput(NetworkInput input);
  ValueId AddInput(std::string name, std::vector<int64_t> shape,
                   v1::DType dtype = v1::DTYPE_FLOAT32);

  // Parameters are named `name`.weight [outputs, inputs] and `name`.bias [outputs]. With GELU or
  // SiLU it is two operations.
  ValueId AddDense(absl::string_view name, std::vector<ValueId> operands, int64_t outputs,
                   LayerActivation activation, double gain);
  // `operand` is an image: the result of an operation on images, or an input. Without activation,
  // or with ReLU, it is one operation.
  ValueId AddConv2d(absl::string_view name, ValueId operand, Conv2d conv,
                    LayerActivation activation);
  ValueId AddMaxPool2d(ValueId operand, int64_t kernel, int64_t stride, int64_t padding);
  // Images to rows.
  ValueId AddFlatten(ValueId operand);
  ValueId AddActivate(ValueId operand, LayerActivation activation);
  ValueId AddSum(ValueId a, ValueId b);
  ValueId AddConcat(std::vector<ValueId> operands);
  ValueId AddLayerNorm(absl::string_view name, ValueId operand);
  // Returns the hidden state [units]. Adds the state's size to the input "state", which must
  // exist, as must "starts".
  ValueId AddRecurrent(absl::string_view name, Recurrent::Kind kind, std::vector<ValueId> operands,
                       int64_t units);
  ValueId AddDueling(ValueId value, ValueId advantage, int64_t actions, int64_t atoms);
  void AddHead(std::string name, ValueId value);
  // Parameters that no operation uses; returns their offset.
  int64_t AddBounded(std::string name, int64_t size, float min, float max);

  // The shape of an image; no channels if the value is none.
  ImageShape ImageOf(ValueId value) const;

  // Adds the head "state" if there are recurrent layers.
  Network Build() &&;

 private:
  ValueId AddOperation(Operation operation);
  int64_t RowSizes(const std::vector<ValueId>& operands) const;

  Network network_;
  std::vector<ImageShape> images_;  // By operation; no channels if its result is not an image.
  std::vector<ValueId> states_;     // The recurrent layers.
};

}  // namespace cadre
