// MlpModel with LibTorch's autograd.
#include <torch/autograd.h>

#include <map>
#include <utility>

#include "common/check.h"
#include "policy/mlp_model.h"

namespace cadre {
namespace {

class AutogradMlpModel final : public MlpModel {
 public:
  AutogradMlpModel(std::vector<Mlp> networks, int64_t size, torch::Device device)
      : networks_(std::move(networks)),
        parameters_(torch::zeros({size}, device)),
        gradient_(torch::zeros({size}, device)),
        graphs_(networks_.size()) {
    for (const Mlp& network : networks_) {
      for (const DenseLayer& layer : network) {
        AddLeaf(layer.weight, {layer.outputs, layer.inputs});
        AddLeaf(layer.bias, {layer.outputs});
      }
    }
  }

  torch::Tensor parameters() override { return parameters_; }
  torch::Tensor gradient() override { return gradient_; }
  void ParametersChanged() override {}

  torch::Tensor Forward(int index, const torch::Tensor& input) override {
    torch::AutoGradMode with_graph(true);
    Graph& graph = graphs_.at(index);
    graph.input = input.detach().requires_grad_();
    graph.output = Run(networks_[index], graph.input);
    return graph.output.detach();
  }

  torch::Tensor Backward(int index, torch::Tensor output_gradient, bool parameter_gradient,
                         bool input_gradient) override {
    Graph& graph = graphs_.at(index);
    CADRE_CHECK(graph.output.defined());
    if (networks_[index].empty()) return input_gradient ? output_gradient : torch::Tensor();
    std::vector<torch::Tensor> wanted;
    if (input_gradient) wanted.push_back(graph.input);
    if (parameter_gradient) {
      for (const DenseLayer& layer : networks_[index]) {
        wanted.push_back(leaves_.at(layer.weight));
        wanted.push_back(leaves_.at(layer.bias));
      }
    }
    if (wanted.empty()) return {};
    graph.input.mutable_grad() = torch::Tensor();
    torch::autograd::backward({graph.output}, {output_gradient}, /*retain_graph=*/true,
                              /*create_graph=*/false, wanted);
    return input_gradient ? graph.input.grad() : torch::Tensor();
  }

 private:
  // Of a network's last Forward.
  struct Graph {
    torch::Tensor input, output;
  };

  // A leaf that looks into the flat vector, and so does its gradient: autograd
  // accumulates straight into the flat gradient.
  void AddLeaf(int64_t offset, const std::vector<int64_t>& shape) {
    int64_t size = 1;
    for (const int64_t dimension : shape) size *= dimension;
    torch::Tensor leaf = parameters_.narrow(0, offset, size).view(shape).detach();
    leaf.requires_grad_();
    leaf.mutable_grad() = gradient_.narrow(0, offset, size).view(shape);
    leaves_.emplace(offset, leaf);
  }

  torch::Tensor Run(const Mlp& network, torch::Tensor x) const {
    for (const DenseLayer& layer : network) {
      x = torch::addmm(leaves_.at(layer.bias), x, leaves_.at(layer.weight).t());
      if (layer.activation == LayerActivation::kTanh) x = torch::tanh(x);
      if (layer.activation == LayerActivation::kRelu) x = torch::relu(x);
    }
    return x;
  }

  const std::vector<Mlp> networks_;
  torch::Tensor parameters_, gradient_;      // [P]
  std::map<int64_t, torch::Tensor> leaves_;  // By offset.
  std::vector<Graph> graphs_;                // By network.
};

}  // namespace

std::unique_ptr<MlpModel> MakeAutogradMlpModel(std::vector<Mlp> networks, int64_t size,
                                               torch::Device device) {
  return std::make_unique<AutogradMlpModel>(std::move(networks), size, device);
}

}  // namespace cadre
