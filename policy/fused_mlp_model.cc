// MlpModel on the CPU kernels.
#include <deque>
#include <utility>

#include "common/check.h"
#include "policy/fused_mlp.h"
#include "policy/mlp_model.h"

namespace cadre {
namespace {

class FusedMlpModel final : public MlpModel {
 public:
  FusedMlpModel(std::vector<Mlp> networks, int64_t size)
      : networks_(std::move(networks)),
        parameters_(torch::zeros({size})),
        gradient_(torch::zeros({size})),
        inputs_(networks_.size()),
        input_gradients_(networks_.size()) {
    for (const Mlp& network : networks_) fused_.emplace_back(network);
  }

  torch::Tensor parameters() override { return parameters_; }
  torch::Tensor gradient() override { return gradient_; }

  void ParametersChanged() override {
    for (FusedMlp& network : fused_) network.Load(ParameterSpan());
  }

  torch::Tensor Forward(int index, const torch::Tensor& input) override {
    const Mlp& network = networks_.at(index);
    const int64_t batch = input.size(0);
    const int64_t inputs = input.size(1);
    CADRE_CHECK(network.empty() || inputs == network.front().inputs);
    inputs_[index] = {batch, inputs};
    const int64_t outputs = network.empty() ? inputs : network.back().outputs;
    // The tensor only looks at a buffer that the network owns.
    return torch::from_blob(const_cast<float*>(fused_[index].Forward(CheckedData(input), batch)),
                            {batch, outputs}, torch::kFloat32);
  }

  torch::Tensor Backward(int index, torch::Tensor output_gradient, bool parameter_gradient,
                         bool input_gradient) override {
    const Mlp& network = networks_.at(index);
    if (network.empty()) return input_gradient ? output_gradient : torch::Tensor();
    const std::vector<int64_t>& shape = inputs_[index];
    CADRE_CHECK(!shape.empty() && output_gradient.dim() == 2 &&
                output_gradient.size(0) == shape[0] &&
                output_gradient.size(1) == network.back().outputs);
    float* dx = nullptr;
    if (input_gradient) {
      torch::Tensor& buffer = input_gradients_[index];
      if (!buffer.defined() || buffer.sizes() != shape) buffer = torch::empty(shape);
      dx = buffer.data_ptr<float>();
    }
    absl::Span<float> gradient;
    if (parameter_gradient)
      gradient = absl::MakeSpan(gradient_.data_ptr<float>(), gradient_.numel());
    fused_[index].Backward(ParameterSpan(), CheckedData(output_gradient), gradient, dx,
                           /*accumulate_input=*/false);
    return input_gradient ? input_gradients_[index] : torch::Tensor();
  }

 private:
  static float* CheckedData(const torch::Tensor& tensor) {
    CADRE_CHECK(tensor.is_contiguous());
    return tensor.data_ptr<float>();
  }

  absl::Span<const float> ParameterSpan() const {
    return {parameters_.data_ptr<float>(), static_cast<size_t>(parameters_.numel())};
  }

  const std::vector<Mlp> networks_;
  std::deque<FusedMlp> fused_;                  // By network.
  torch::Tensor parameters_, gradient_;         // [P]
  std::vector<std::vector<int64_t>> inputs_;    // By network: [B, I] of the last Forward.
  std::vector<torch::Tensor> input_gradients_;  // By network: [B, I].
};

}  // namespace

std::unique_ptr<MlpModel> MakeFusedMlpModel(std::vector<Mlp> networks, int64_t size) {
  return std::make_unique<FusedMlpModel>(std::move(networks), size);
}

}  // namespace cadre
