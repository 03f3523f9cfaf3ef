#include "bench/conv_networks.h"

#include <cmath>
#include <utility>

#include <ATen/ATen.h>

namespace cadre {
namespace {

LayerSpec Conv(int64_t filters, int64_t kernel, int64_t stride, int64_t padding, bool relu) {
  return {LayerSpec::kConv, filters, kernel, stride, padding, relu};
}
LayerSpec Dense(int64_t units) { return {.kind = LayerSpec::kDense, .units = units, .relu = true}; }

}  // namespace

ImageShape OutputShape(const LayerSpec& layer, ImageShape in) {
  switch (layer.kind) {
    case LayerSpec::kConv: {
      const auto outputs = [&](int64_t size) {
        return (size + 2 * layer.padding - layer.kernel) / layer.stride + 1;
      };
      return {layer.units, outputs(in.height), outputs(in.width)};
    }
    case LayerSpec::kPool:
      return {in.channels, (in.height + 1) / 2, (in.width + 1) / 2};
    case LayerSpec::kDense:
      return {layer.units, 1, 1};
    case LayerSpec::kResidual:
    case LayerSpec::kRelu:
      break;
  }
  return in;
}

ImageNetwork NatureNetwork() {
  return {"nature",
          {4, 84, 84},
          1.0f / 255,
          {Conv(32, 8, 4, 0, true), Conv(64, 4, 2, 0, true), Conv(64, 3, 1, 0, true), Dense(512)}};
}

ImageNetwork MinAtarNetwork() {
  return {"minatar", {4, 10, 10}, 1.0f, {Conv(16, 3, 1, 0, true), Dense(128)}};
}

ImageNetwork ImpalaNetwork() {
  ImageNetwork network{"impala", {4, 84, 84}, 1.0f / 255, {}};
  for (const int64_t filters : {16, 32, 32}) {
    network.layers.push_back(Conv(filters, 3, 1, 1, false));
    network.layers.push_back({.kind = LayerSpec::kPool});
    network.layers.push_back({.kind = LayerSpec::kResidual, .units = filters});
    network.layers.push_back({.kind = LayerSpec::kResidual, .units = filters});
  }
  network.layers.push_back({.kind = LayerSpec::kRelu});
  network.layers.push_back(Dense(256));
  return network;
}

Weights RandomWeights(const ImageNetwork& network, Random& random) {
  Weights weights;
  const auto add = [&](const std::vector<int64_t>& shape, double scale) {
    int64_t size = 1;
    for (const int64_t n : shape) size *= n;
    std::vector<float> values(size);
    for (float& value : values) value = static_cast<float>(scale * random.Normal());
    weights.values.push_back(std::move(values));
    weights.shapes.push_back(shape);
  };
  const auto add_conv = [&](int64_t filters, int64_t channels, int64_t kernel) {
    add({filters, channels, kernel, kernel}, std::sqrt(2.0 / (channels * kernel * kernel)));
    add({filters}, 0.1);
  };
  ImageShape shape = network.input;
  for (const LayerSpec& layer : network.layers) {
    if (layer.kind == LayerSpec::kConv) add_conv(layer.units, shape.channels, layer.kernel);
    if (layer.kind == LayerSpec::kResidual)
      for (int i = 0; i < 2; ++i) add_conv(layer.units, layer.units, 3);
    if (layer.kind == LayerSpec::kDense) {
      add({layer.units, shape.size()}, std::sqrt(2.0 / shape.size()));
      add({layer.units}, 0.1);
    }
    shape = OutputShape(layer, shape);
  }
  return weights;
}

TorchNetwork::TorchNetwork(const ImageNetwork& network, const Weights& weights)
    : network_(network) {
  for (size_t i = 0; i < weights.values.size(); ++i)
    parameters_.push_back(at::tensor(weights.values[i]).reshape(weights.shapes[i]));
}

torch::Tensor TorchNetwork::Forward(const torch::Tensor& images) const {
  torch::Tensor x = images.to(at::kFloat);
  if (network_.scale != 1) x = x.mul_(network_.scale);
  size_t next = 0;
  const auto conv = [&](const torch::Tensor& in, int64_t stride, int64_t padding) {
    next += 2;
    return at::conv2d(in, parameters_[next - 2], parameters_[next - 1], stride, padding);
  };
  for (const LayerSpec& layer : network_.layers) {
    switch (layer.kind) {
      case LayerSpec::kConv:
        x = conv(x, layer.stride, layer.padding);
        break;
      case LayerSpec::kPool:
        x = at::max_pool2d(x, 3, 2, 1);
        break;
      case LayerSpec::kResidual: {
        const torch::Tensor inner = conv(at::relu(x), 1, 1).relu_();
        x = conv(inner, 1, 1).add_(x);
        break;
      }
      case LayerSpec::kRelu:
        x = at::relu(x);
        break;
      case LayerSpec::kDense:
        next += 2;
        x = at::linear(x.flatten(1), parameters_[next - 2], parameters_[next - 1]);
        break;
    }
    if (layer.relu) x = x.relu_();
  }
  return x;
}

}  // namespace cadre
