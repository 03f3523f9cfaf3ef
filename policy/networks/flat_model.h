// What a model is to whoever moves, publishes or saves it and knows nothing else of it: one
// flat vector of parameters, one of their gradient, and where each layer stands in them.
#pragma once

#include <torch/types.h>

#include "policy/networks/layout.h"

namespace cadre {

class FlatModel {
 public:
  virtual ~FlatModel() = default;

  virtual const ParameterLayout& layout() const = 0;

  // [P] float32, flat. After writing to it call ParametersChanged(), which may move
  // parameters that have bounds onto them.
  virtual torch::Tensor parameters() = 0;
  virtual void ParametersChanged() = 0;

  // [P] float32: of the last backward pass.
  virtual torch::Tensor gradient() = 0;
};

}  // namespace cadre
