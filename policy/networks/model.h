// The seam between algorithms and networks: one flat vector of parameters, one of their gradient,
// and passes through the network, forward to its heads and backward. An algorithm computes the
// gradient of its loss with respect to the heads; the model does the rest. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include <torch/types.h>

#include "absl/types/span.h"
#include "policy/networks/flat_model.h"
#include "policy/networks/network.h"

namespace cadre {

// A forward pass from a network's inputs to some of its heads, and the backward pass. Each pass
// of a model keeps the state of its own last Forward.
class Pass {
 public:
  virtual ~Pass() = default;

  // `inputs`: one for each network input, [B, shape...], contiguous, of its dtype; undefined if no
  // head of this pass depends on it. Those that are per_sequence have S rows, of which B is a
  // multiple. Returns the heads, [B, size] each, detached; they are valid until the next Forward
  // and must not be written to. The inputs must not change before Backward.
  virtual const std::vector<torch::Tensor>& Forward(absl::Span<const torch::Tensor> inputs) = 0;

  // Both take the gradient of a loss with respect to each head of the last Forward, undefined for
  // zero, and may overwrite it. Call one of them, once, after each Forward.
  //
  // Adds to the model's gradient().
  virtual void Backward(absl::Span<const torch::Tensor> head_gradients) = 0;
  // Returns the gradient with respect to one input, [B, shape...], valid until the next call.
  virtual torch::Tensor InputGradient(absl::Span<const torch::Tensor> head_gradients,
                                      int input) = 0;
};

enum class Direction { kForward, kForwardAndBackward };

class Model : public FlatModel {
 public:
  virtual const Network& network() const = 0;
  const ParameterLayout& layout() const final { return network().layout; }

  // `heads` are indices into network().heads; only what they depend on is computed. The model must
  // outlive the pass.
  virtual std::unique_ptr<Pass> NewPass(std::vector<int> heads, Direction direction) = 0;
};

// Runs on the CPU kernels; allocates nothing in the steady state.
std::unique_ptr<Model> MakeKernelModel(Network network);

// Runs on LibTorch and autograd, on any device, without waiting for the device.
std::unique_ptr<Model> MakeGraphModel(Network network, torch::Device device);

enum class Runner { kKernels, kGraph };
std::unique_ptr<Model> MakeModel(Network network, Runner runner, torch::Device device);

// The heads as a differentiable function of all parameters, for algorithms that need more than
// one gradient, such as products with the Fisher matrix. `parameters` [P], flat; `inputs` as for
// Pass::Forward. The heads carry a graph if the parameters or inputs do. Pure.
std::vector<torch::Tensor> HeadsWithGraph(const Network& network, absl::Span<const int> heads,
                                          const torch::Tensor& parameters,
                                          absl::Span<const torch::Tensor> inputs);

}  // namespace cadre
