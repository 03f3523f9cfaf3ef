// ActorCritic on the CPU kernels.
#include <utility>
#include <vector>

#include "common/check.h"
#include "policy/actor_critic.h"
#include "policy/bounded_log_std.h"
#include "policy/fused_mlp.h"

namespace cadre {
namespace {

class FusedActorCritic final : public ActorCritic {
 public:
  explicit FusedActorCritic(ActorCriticNetwork network)
      : network_(std::move(network)),
        trunk_(network_.trunk),
        policy_(network_.policy),
        value_(network_.value),
        parameters_(torch::zeros({network_.layout.size()})),
        gradient_(torch::zeros({network_.layout.size()})) {}

  const ActorCriticNetwork& network() const override { return network_; }
  torch::Tensor parameters() override { return parameters_; }
  torch::Tensor gradient() override { return gradient_; }

  void ParametersChanged() override {
    ProjectLogStd(network_, parameters_);
    trunk_.Load(ParameterSpan());
    policy_.Load(ParameterSpan());
    value_.Load(ParameterSpan());
  }

  Heads Forward(const torch::Tensor& observations) override {
    batch_ = observations.size(0);
    const float* features = trunk_.Forward(CheckedData(observations), batch_);
    Heads heads;
    // The tensors only look at buffers that the networks own.
    heads.policy = View(policy_.Forward(features, batch_), {batch_, network_.policy_outputs});
    heads.value = View(value_.Forward(features, batch_), {batch_});
    if (network_.log_std >= 0)
      heads.log_std = parameters_.narrow(0, network_.log_std, network_.action.dimensions);
    return heads;
  }

  void Backward(Heads gradient) override {
    gradient_.zero_();
    const absl::Span<float> flat(gradient_.data_ptr<float>(), gradient_.numel());
    float* features = nullptr;
    if (!network_.trunk.empty()) {
      feature_gradient_.resize(batch_ * network_.trunk.back().outputs);
      features = feature_gradient_.data();
    }
    policy_.Backward(ParameterSpan(), CheckedData(gradient.policy), flat, features, false);
    value_.Backward(ParameterSpan(), CheckedData(gradient.value), flat, features, true);
    if (features != nullptr) trunk_.Backward(ParameterSpan(), features, flat, nullptr, false);
    if (network_.log_std >= 0)
      gradient_.narrow(0, network_.log_std, network_.action.dimensions).copy_(gradient.log_std);
  }

  torch::Tensor Values(const torch::Tensor& observations) override {
    const int64_t batch = observations.size(0);
    return View(value_.Forward(trunk_.Forward(CheckedData(observations), batch), batch), {batch});
  }

 private:
  static float* CheckedData(const torch::Tensor& tensor) {
    CADRE_CHECK(tensor.is_contiguous());
    return tensor.data_ptr<float>();
  }

  static torch::Tensor View(const float* data, std::vector<int64_t> shape) {
    return torch::from_blob(const_cast<float*>(data), shape, torch::kFloat32);
  }

  absl::Span<const float> ParameterSpan() const {
    return {parameters_.data_ptr<float>(), static_cast<size_t>(parameters_.numel())};
  }

  const ActorCriticNetwork network_;
  FusedMlp trunk_, policy_, value_;
  torch::Tensor parameters_, gradient_;  // [P]
  std::vector<float> feature_gradient_;  // [B, features]
  int64_t batch_ = 0;
};

}  // namespace

std::unique_ptr<ActorCritic> MakeFusedActorCritic(ActorCriticNetwork network) {
  return std::make_unique<FusedActorCritic>(std::move(network));
}

}  // namespace cadre
