// ActorCritic in tensor operations.
#include <utility>
#include <vector>

#include "common/check.h"
#include "policy/bounded_log_std.h"
#include "policy/tensor_mlp.h"
#include "policy/tensor_models.h"

namespace cadre {
namespace {

class TensorActorCritic final : public ActorCritic {
 public:
  TensorActorCritic(ActorCriticNetwork network, torch::Device device)
      : network_(std::move(network)),
        parameters_(torch::zeros({network_.layout.size()}, device)),
        gradient_(torch::zeros({network_.layout.size()}, device)),
        trunk_(MakeTrunk()),
        policy_({network_.policy}, parameters_, gradient_),
        value_({network_.value}, parameters_, gradient_),
        values_trunk_(MakeTrunk()),
        values_({network_.value}, parameters_, gradient_) {}

  const ActorCriticNetwork& network() const override { return network_; }
  torch::Tensor parameters() override { return parameters_; }
  torch::Tensor gradient() override { return gradient_; }
  void ParametersChanged() override { ProjectLogStd(network_, parameters_); }

  Heads Forward(const torch::Tensor& observations) override {
    const torch::Tensor features = Features(trunk_, observations);
    Heads heads;
    heads.policy = policy_.Forward(features);
    heads.value = value_.Forward(features).squeeze(1);
    if (network_.log_std >= 0) heads.log_std = LogStd(parameters_);
    return heads;
  }

  void Backward(Heads gradient) override {
    torch::NoGradGuard no_graph;
    gradient_.zero_();
    const bool below = trunk_ != nullptr;
    const torch::Tensor by_policy = policy_.Backward(gradient.policy, true, below);
    const torch::Tensor by_value = value_.Backward(gradient.value.unsqueeze(1), true, below);
    if (below) trunk_->Backward(by_policy + by_value, true, false);
    if (network_.log_std >= 0) LogStd(gradient_).copy_(gradient.log_std);
  }

  torch::Tensor Values(const torch::Tensor& observations) override {
    return values_.Forward(Features(values_trunk_, observations)).squeeze(1);
  }

 private:
  using Trunk = std::unique_ptr<TensorMlp>;  // Null: the identity.

  Trunk MakeTrunk() const {
    if (network_.trunk.empty()) return nullptr;
    return std::make_unique<TensorMlp>(std::vector<Mlp>{network_.trunk}, parameters_, gradient_);
  }

  static torch::Tensor Features(const Trunk& trunk, const torch::Tensor& observations) {
    return trunk == nullptr ? observations : trunk->Forward(observations);
  }

  torch::Tensor LogStd(const torch::Tensor& flat) const {
    return flat.narrow(0, network_.log_std, network_.action.dimensions);
  }

  const ActorCriticNetwork network_;
  const torch::Tensor parameters_, gradient_;  // [P]
  const Trunk trunk_;
  TensorMlp policy_, value_;
  // Values' own buffers, of the same parameters: a whole batch must not move those of
  // Forward, which a CUDA graph may hold.
  const Trunk values_trunk_;
  TensorMlp values_;
};

}  // namespace

std::unique_ptr<ActorCritic> MakeTensorActorCritic(ActorCriticNetwork network,
                                                   torch::Device device) {
  return std::make_unique<TensorActorCritic>(std::move(network), device);
}

}  // namespace cadre
