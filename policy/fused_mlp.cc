#include "policy/fused_mlp.h"

#include <algorithm>

#include "common/check.h"
#include "common/kernels/kernels.h"

namespace cadre {
namespace {

void GrowTo(std::vector<float>& buffer, int64_t size) {
  if (static_cast<int64_t>(buffer.size()) < size) buffer.resize(size);
}

}  // namespace

FusedMlp::FusedMlp(const Mlp& mlp)
    : mlp_(mlp), packed_(mlp.size()), bias_(mlp.size()), outputs_(mlp.size()) {
  for (size_t l = 0; l < mlp.size(); ++l) {
    packed_[l].resize(kernels::Best().packed_size(mlp[l].inputs, mlp[l].outputs));
    bias_[l].resize(mlp[l].outputs);
  }
}

void FusedMlp::Load(absl::Span<const float> parameters) {
  for (size_t l = 0; l < mlp_.size(); ++l) {
    const DenseLayer& layer = mlp_[l];
    kernels::Best().pack(layer.inputs, layer.outputs, {&parameters[layer.weight], 1, layer.inputs},
                         packed_[l].data());
    std::copy_n(&parameters[layer.bias], layer.outputs, bias_[l].data());
  }
}

const float* FusedMlp::Forward(const float* input, int64_t batch) {
  const kernels::KernelTable& kernel = kernels::Best();
  input_ = input;
  batch_ = batch;
  const float* x = input;
  for (size_t l = 0; l < mlp_.size(); ++l) {
    const DenseLayer& layer = mlp_[l];
    GrowTo(outputs_[l], batch * layer.outputs);
    float* y = outputs_[l].data();
    kernel.gemm_packed(batch, layer.outputs, layer.inputs, {x, layer.inputs, 1}, packed_[l].data(),
                       y, layer.outputs, bias_[l].data(), /*accumulate=*/false);
    if (layer.activation == LayerActivation::kTanh) kernel.tanh(batch * layer.outputs, y);
    if (layer.activation == LayerActivation::kRelu) kernel.relu(batch * layer.outputs, y);
    x = y;
  }
  return x;
}

void FusedMlp::Backward(absl::Span<const float> parameters, float* output_gradient,
                        absl::Span<float> gradient, float* input_gradient, bool accumulate_input) {
  CADRE_CHECK(input_ != nullptr);
  const kernels::KernelTable& kernel = kernels::Best();
  float* d = output_gradient;  // [B, outputs] of layer l.
  for (int64_t l = static_cast<int64_t>(mlp_.size()) - 1; l >= 0; --l) {
    const DenseLayer& layer = mlp_[l];
    const int64_t size = batch_ * layer.outputs;
    if (layer.activation == LayerActivation::kTanh)
      kernel.tanh_backward(size, outputs_[l].data(), d);
    if (layer.activation == LayerActivation::kRelu)
      kernel.relu_backward(size, outputs_[l].data(), d);
    const float* x = l > 0 ? outputs_[l - 1].data() : input_;
    if (!gradient.empty()) {
      // dW [outputs, inputs] += d^T x;  db += column sums of d.
      kernel.gemm(layer.outputs, layer.inputs, batch_, {d, 1, layer.outputs}, x, layer.inputs,
                  &gradient[layer.weight], layer.inputs, nullptr, /*accumulate=*/true);
      kernel.column_sums(batch_, layer.outputs, d, &gradient[layer.bias]);
    }
    if (l == 0 && input_gradient == nullptr) return;
    // dx [B, inputs] = d W.
    float* dx = input_gradient;
    if (l > 0) {
      std::vector<float>& buffer = gradients_[l % 2];
      GrowTo(buffer, batch_ * layer.inputs);
      dx = buffer.data();
    }
    kernel.gemm(batch_, layer.inputs, layer.outputs, {d, layer.outputs, 1},
                &parameters[layer.weight], layer.inputs, dx, layer.inputs, nullptr,
                /*accumulate=*/l == 0 && accumulate_input);
    d = dx;
  }
}

}  // namespace cadre
