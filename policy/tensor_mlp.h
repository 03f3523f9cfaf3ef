// Forward and backward pass of one Mlp, or of several of the same shape at once, in
// tensor operations on any device: no graph, no host synchronisation, and in the steady
// state no allocation, so that a CUDA graph may hold it. FusedMlp's twin. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "policy/network.h"

namespace cadre {

// K networks over one flat vector. K = 1 is plain matrices; more are batched matrix
// products, one kernel for all.
class TensorMlp {
 public:
  // `copies` have the same layers; their parameters lie at equal distances in
  // `parameters` and `gradient`, [P] float32, into which this only looks. At least one
  // copy of at least one layer.
  TensorMlp(std::vector<Mlp> copies, const torch::Tensor& parameters,
            const torch::Tensor& gradient);

  // True where `copies` are such.
  static bool Stackable(const std::vector<Mlp>& copies);

  // `input` [B, I], which all copies see. Returns [B, outputs], with several copies
  // [K, B, outputs]; valid until the next Forward and not to be written to. `input` must
  // stay as it is until Backward.
  const torch::Tensor& Forward(const torch::Tensor& input);

  // From the gradient of the last Forward's outputs. Adds to the flat gradient where
  // `parameter_gradient`; returns that of the input, [B, I] or [K, B, I], valid until
  // the next Backward, where `input_gradient`, else an undefined tensor.
  torch::Tensor Backward(const torch::Tensor& output_gradient, bool parameter_gradient,
                         bool input_gradient);

 private:
  struct Layer {
    torch::Tensor weight, bias;                    // [K, out, in], [K, 1, out]; K = 1: [out, in],
    torch::Tensor weight_gradient, bias_gradient;  // [out]. Views of the flat vectors.
    LayerActivation activation;
    torch::Tensor output;           // [K, B, out]
    torch::Tensor output_gradient;  // [K, B, out], before the activation.
    torch::Tensor input_gradient;   // [K, B, in]
  };

  void ForwardLayer(Layer& layer, const torch::Tensor& input);
  // With respect to what goes into the activation.
  torch::Tensor BeforeActivation(Layer& layer, const torch::Tensor& gradient);
  void AddParameterGradient(Layer& layer, const torch::Tensor& gradient,
                            const torch::Tensor& input);

  const int64_t copies_;  // K
  std::vector<Layer> layers_;
  torch::Tensor input_;  // [B, I], or seen K times, [K, B, I].
};

}  // namespace cadre
