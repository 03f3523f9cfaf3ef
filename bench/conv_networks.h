// Networks for images as conv_bench runs them: their layers, weights, and LibTorch's version.
// kernel_network.h runs the same on the CPU kernels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

#include "common/random.h"

namespace cadre {

struct LayerSpec {
  enum Kind { kConv, kPool, kResidual, kRelu, kDense };
  Kind kind;
  int64_t units = 0;  // Filters, or outputs of a dense layer.
  int64_t kernel = 3, stride = 1, padding = 0;
  bool relu = false;  // Of convolutions and dense layers.
};

struct ImageShape {
  int64_t channels, height, width;
  int64_t size() const { return channels * height * width; }
};

ImageShape OutputShape(const LayerSpec& layer, ImageShape in);

struct ImageNetwork {
  std::string name;
  ImageShape input;
  float scale;  // Of the input's bytes.
  std::vector<LayerSpec> layers;
};

ImageNetwork NatureNetwork();   // Mnih et al. 2015.
ImageNetwork MinAtarNetwork();  // Young and Tian 2019.
ImageNetwork ImpalaNetwork();   // Espeholt et al. 2018, the deep one.

// Weights, then biases, of each layer that has any.
struct Weights {
  std::vector<std::vector<float>> values;
  std::vector<std::vector<int64_t>> shapes;
};
Weights RandomWeights(const ImageNetwork& network, Random& random);

class TorchNetwork {
 public:
  TorchNetwork(const ImageNetwork& network, const Weights& weights);

  torch::Tensor Forward(const torch::Tensor& images) const;  // [B, C, H, W] uint8
  const std::vector<torch::Tensor>& parameters() const { return parameters_; }

 private:
  const ImageNetwork network_;
  std::vector<torch::Tensor> parameters_;
};

}  // namespace cadre
