#include "policy/tensor_mlp.h"

#include <torch/utils.h>

#include "common/check.h"

namespace cadre {
namespace {

// How far copy 1 is from copy 0.
int64_t Distance(const std::vector<Mlp>& copies) {
  return copies.size() == 1 ? 0 : copies[1][0].weight - copies[0][0].weight;
}

// [K, rows, columns] of the flat vector, or [rows, columns] for one copy.
torch::Tensor ViewOf(const torch::Tensor& flat, int64_t copies, int64_t distance, int64_t offset,
                     int64_t rows, int64_t columns) {
  if (copies == 1) return flat.narrow(0, offset, rows * columns).view({rows, columns});
  return flat.as_strided({copies, rows, columns}, {distance, columns, 1},
                         flat.storage_offset() + offset);
}

void ReserveLike(torch::Tensor& buffer, const std::vector<int64_t>& shape,
                 const torch::Tensor& like) {
  if (!buffer.defined() || buffer.sizes() != shape) buffer = torch::empty(shape, like.options());
}

}  // namespace

bool TensorMlp::Stackable(const std::vector<Mlp>& copies) {
  const int64_t distance = Distance(copies);
  for (size_t k = 0; k < copies.size(); ++k) {
    if (copies[k].size() != copies[0].size()) return false;
    for (size_t l = 0; l < copies[k].size(); ++l) {
      const DenseLayer &first = copies[0][l], &layer = copies[k][l];
      const int64_t shift = distance * static_cast<int64_t>(k);
      if (layer.inputs != first.inputs || layer.outputs != first.outputs ||
          layer.activation != first.activation || layer.weight != first.weight + shift ||
          layer.bias != first.bias + shift)
        return false;
    }
  }
  return true;
}

TensorMlp::TensorMlp(std::vector<Mlp> copies, const torch::Tensor& parameters,
                     const torch::Tensor& gradient)
    : copies_(static_cast<int64_t>(copies.size())) {
  CADRE_CHECK(!copies.empty() && !copies[0].empty() && Stackable(copies));
  const int64_t distance = Distance(copies);
  for (const DenseLayer& dense : copies[0]) {
    const auto weights = [&](const torch::Tensor& flat) {
      return ViewOf(flat, copies_, distance, dense.weight, dense.outputs, dense.inputs);
    };
    const auto biases = [&](const torch::Tensor& flat) {
      const torch::Tensor view = ViewOf(flat, copies_, distance, dense.bias, 1, dense.outputs);
      return copies_ == 1 ? view.squeeze(0) : view;
    };
    Layer layer;
    layer.weight = weights(parameters);
    layer.bias = biases(parameters);
    layer.weight_gradient = weights(gradient);
    layer.bias_gradient = biases(gradient);
    layer.activation = dense.activation;
    layers_.push_back(layer);
  }
}

const torch::Tensor& TensorMlp::Forward(const torch::Tensor& input) {
  torch::NoGradGuard no_graph;
  input_ = copies_ == 1 ? input : input.unsqueeze(0).expand({copies_, -1, -1});
  const torch::Tensor* x = &input_;
  for (Layer& layer : layers_) {
    ForwardLayer(layer, *x);
    x = &layer.output;
  }
  return *x;
}

void TensorMlp::ForwardLayer(Layer& layer, const torch::Tensor& input) {
  const int64_t batch = input.size(-2);
  torch::Tensor& y = layer.output;
  if (copies_ == 1) {
    ReserveLike(y, {batch, layer.weight.size(0)}, layer.weight);
    torch::addmm_out(y, layer.bias, input, layer.weight.t());
  } else {
    ReserveLike(y, {copies_, batch, layer.weight.size(1)}, layer.weight);
    torch::bmm_out(y, input, layer.weight.transpose(1, 2));
    y.add_(layer.bias);
  }
  if (layer.activation == LayerActivation::kTanh) y.tanh_();
  if (layer.activation == LayerActivation::kRelu) y.relu_();
}

torch::Tensor TensorMlp::Backward(const torch::Tensor& output_gradient, bool parameter_gradient,
                                  bool input_gradient) {
  torch::NoGradGuard no_graph;
  CADRE_CHECK(input_.defined() && output_gradient.sizes() == layers_.back().output.sizes());
  torch::Tensor gradient = output_gradient;
  for (size_t l = layers_.size(); l-- > 0;) {
    Layer& layer = layers_[l];
    const torch::Tensor before = BeforeActivation(layer, gradient);
    if (parameter_gradient)
      AddParameterGradient(layer, before, l == 0 ? input_ : layers_[l - 1].output);
    if (l == 0 && !input_gradient) return {};
    std::vector<int64_t> shape = before.sizes().vec();
    shape.back() = layer.weight.size(-1);
    ReserveLike(layer.input_gradient, shape, before);
    if (copies_ == 1)
      torch::mm_out(layer.input_gradient, before, layer.weight);
    else
      torch::bmm_out(layer.input_gradient, before, layer.weight);
    gradient = layer.input_gradient;
  }
  return gradient;
}

// Both from the activation's output y: tanh' = 1 - y^2, relu' = [y > 0].
torch::Tensor TensorMlp::BeforeActivation(Layer& layer, const torch::Tensor& gradient) {
  if (layer.activation == LayerActivation::kNone) return gradient;
  ReserveLike(layer.output_gradient, layer.output.sizes().vec(), layer.output);
  if (layer.activation == LayerActivation::kTanh)
    torch::tanh_backward_out(layer.output_gradient, gradient, layer.output);
  else
    torch::threshold_backward_out(layer.output_gradient, gradient, layer.output, 0);
  return layer.output_gradient;
}

void TensorMlp::AddParameterGradient(Layer& layer, const torch::Tensor& gradient,
                                     const torch::Tensor& input) {
  if (copies_ == 1) {
    layer.weight_gradient.addmm_(gradient.t(), input);
    layer.bias_gradient.add_(gradient.sum(0));
  } else {
    layer.weight_gradient.baddbmm_(gradient.transpose(1, 2), input);
    layer.bias_gradient.add_(gradient.sum(1, /*keepdim=*/true));
  }
}

}  // namespace cadre
