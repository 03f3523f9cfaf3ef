// The seam between off-policy algorithms and whatever runs their networks: several
// MLPs over one flat parameter vector, each with a forward and a backward pass.
// Algorithms compute a loss's gradient with respect to outputs in closed form;
// everything below is this interface's. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/types.h>

#include "policy/network.h"

namespace cadre {

class MlpModel {
 public:
  virtual ~MlpModel() = default;

  // [P] float32, flat. After writing to it call ParametersChanged().
  virtual torch::Tensor parameters() = 0;
  virtual void ParametersChanged() = 0;

  // [P] float32. Backward adds to it; whoever steps sets it to zero.
  virtual torch::Tensor gradient() = 0;

  // `input` [B, I] float32, contiguous; returns [B, outputs] of network `index`, without
  // a graph, valid until that network's next Forward and not to be written to. `input`
  // must stay as it is until Backward.
  virtual torch::Tensor Forward(int index, const torch::Tensor& input) = 0;

  // From the loss's gradient with respect to the outputs of the network's last
  // Forward, [B, outputs], which may be overwritten. Adds to gradient() where
  // `parameter_gradient`; returns the gradient with respect to the input, [B, I], valid
  // until the network's next call, where `input_gradient`, else an undefined tensor.
  virtual torch::Tensor Backward(int index, torch::Tensor output_gradient, bool parameter_gradient,
                                 bool input_gradient) = 0;
};

// `networks` index one vector of `size` floats; they may share layers' parameters.
// On the CPU kernels: no graph, no allocation in the steady state.
std::unique_ptr<MlpModel> MakeFusedMlpModel(std::vector<Mlp> networks, int64_t size);

// With LibTorch's autograd, on any device it knows.
std::unique_ptr<MlpModel> MakeAutogradMlpModel(std::vector<Mlp> networks, int64_t size,
                                               torch::Device device);

}  // namespace cadre
