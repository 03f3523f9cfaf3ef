// ActorCritic with LibTorch's autograd.
#include <torch/autograd.h>

#include <utility>
#include <vector>

#include "policy/actor_critic.h"
#include "policy/bounded_log_std.h"

namespace cadre {
namespace {

class AutogradActorCritic final : public ActorCritic {
 public:
  AutogradActorCritic(ActorCriticNetwork network, torch::Device device)
      : network_(std::move(network)),
        parameters_(torch::zeros({network_.layout.size()}, device)),
        gradient_(torch::zeros({network_.layout.size()}, device)) {
    // Each block is a leaf that looks into the flat vector, and so is its gradient:
    // autograd accumulates straight into the flat gradient.
    for (const ParameterBlock& block : network_.layout.blocks()) {
      torch::Tensor leaf =
          parameters_.narrow(0, block.offset, block.size).view(block.shape).detach();
      leaf.requires_grad_();
      leaf.mutable_grad() = gradient_.narrow(0, block.offset, block.size).view(block.shape);
      leaves_.push_back(leaf);
    }
  }

  const ActorCriticNetwork& network() const override { return network_; }
  torch::Tensor parameters() override { return parameters_; }
  torch::Tensor gradient() override { return gradient_; }
  void ParametersChanged() override { ProjectLogStd(network_, parameters_); }

  Heads Forward(const torch::Tensor& observations) override {
    torch::AutoGradMode with_graph(true);
    const torch::Tensor features = Run(network_.trunk, observations);
    graph_.policy = Run(network_.policy, features);
    graph_.value = Run(network_.value, features).squeeze(1);
    if (network_.log_std >= 0) graph_.log_std = Leaf(network_.log_std);
    return {graph_.policy.detach(), graph_.value.detach(),
            network_.log_std >= 0 ? graph_.log_std.detach() : torch::Tensor()};
  }

  void Backward(Heads gradient) override {
    gradient_.zero_();
    std::vector<torch::Tensor> outputs{graph_.policy, graph_.value};
    std::vector<torch::Tensor> gradients{gradient.policy, gradient.value};
    if (network_.log_std >= 0) {
      outputs.push_back(graph_.log_std);
      gradients.push_back(gradient.log_std);
    }
    torch::autograd::backward(outputs, gradients);
    graph_ = {};
  }

  torch::Tensor Values(const torch::Tensor& observations) override {
    torch::NoGradGuard no_graph;
    return Run(network_.value, Run(network_.trunk, observations)).squeeze(1);
  }

 private:
  torch::Tensor Leaf(int64_t offset) const {
    const auto& blocks = network_.layout.blocks();
    for (size_t i = 0; i < blocks.size(); ++i)
      if (blocks[i].offset == offset) return leaves_[i];
    return {};
  }

  torch::Tensor Run(const Mlp& mlp, torch::Tensor x) const {
    for (const DenseLayer& layer : mlp) {
      x = torch::addmm(Leaf(layer.bias), x, Leaf(layer.weight).t());
      if (layer.activation == LayerActivation::kTanh) x = torch::tanh(x);
      if (layer.activation == LayerActivation::kRelu) x = torch::relu(x);
    }
    return x;
  }

  const ActorCriticNetwork network_;
  torch::Tensor parameters_, gradient_;  // [P]
  std::vector<torch::Tensor> leaves_;    // By block.
  Heads graph_;                          // Of the last Forward.
};

}  // namespace

std::unique_ptr<ActorCritic> MakeAutogradActorCritic(ActorCriticNetwork network,
                                                     torch::Device device) {
  return std::make_unique<AutogradActorCritic>(std::move(network), device);
}

}  // namespace cadre
