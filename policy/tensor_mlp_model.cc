// MlpModel in tensor operations.
#include <utility>

#include "common/check.h"
#include "policy/tensor_mlp.h"
#include "policy/tensor_models.h"

namespace cadre {
namespace {

class TensorMlpModel final : public MlpModel {
 public:
  TensorMlpModel(const std::vector<Mlp>& networks, int64_t size, torch::Device device)
      : parameters_(torch::zeros({size}, device)), gradient_(torch::zeros({size}, device)) {
    for (const Mlp& network : networks) {
      networks_.emplace_back();
      if (!network.empty())
        networks_.back() =
            std::make_unique<TensorMlp>(std::vector<Mlp>{network}, parameters_, gradient_);
    }
  }

  torch::Tensor parameters() override { return parameters_; }
  torch::Tensor gradient() override { return gradient_; }
  void ParametersChanged() override {}

  torch::Tensor Forward(int index, const torch::Tensor& input) override {
    TensorMlp* const network = networks_.at(index).get();
    return network == nullptr ? input : network->Forward(input);
  }

  torch::Tensor Backward(int index, torch::Tensor output_gradient, bool parameter_gradient,
                         bool input_gradient) override {
    TensorMlp* const network = networks_.at(index).get();
    if (network == nullptr) return input_gradient ? output_gradient : torch::Tensor();
    return network->Backward(output_gradient, parameter_gradient, input_gradient);
  }

 private:
  const torch::Tensor parameters_, gradient_;         // [P]
  std::vector<std::unique_ptr<TensorMlp>> networks_;  // Null: the identity.
};

}  // namespace

std::unique_ptr<MlpModel> MakeTensorMlpModel(const std::vector<Mlp>& networks, int64_t size,
                                             torch::Device device) {
  return std::make_unique<TensorMlpModel>(networks, size, device);
}

}  // namespace cadre
