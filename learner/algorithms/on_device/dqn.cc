// DQN on a device; see dqn.h.
#include "learner/algorithms/dqn.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/check.h"
#include "common/status_macros.h"
#include "learner/algorithms/diagnostic_names.h"
#include "learner/algorithms/on_device/head_gradients.h"
#include "learner/algorithms/on_device/host_copy.h"
#include "learner/algorithms/on_device/on_device.h"
#include "learner/algorithms/on_device/split_graph.h"
#include "learner/algorithms/on_device/static_batch.h"
#include "learner/algorithms/on_device/tensor_adam.h"
#include "learner/algorithms/q_loss.h"
#include "learner/algorithms/q_network.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

QLossKind LossKind(const DqnConfig& config) {
  if (config.has_distributional()) return QLossKind::kCrossEntropy;
  return config.loss() == DqnConfig::HUBER ? QLossKind::kHuber : QLossKind::kSquared;
}

std::optional<CategoricalSupport> SupportOf(const ActionValueNetwork& network) {
  if (network.atoms == 1) return std::nullopt;
  return CategoricalSupport{network.min_value, network.max_value, network.atoms};
}

class DqnOnDevice final : public OffPolicyAlgorithm {
 public:
  DqnOnDevice(const DqnConfig& config, const ActionValueNetwork& network, Random random,
              const DeviceOptions& options)
      : config_(config),
        loss_kind_(LossKind(config)),
        support_(SupportOf(network)),
        online_(network, options.device, /*tensor_operations=*/true),
        target_(network, options.device, /*tensor_operations=*/true),
        adam_(network.layout.size(), config.adam_epsilon(), options.device),
        host_(online_.model().parameters()),
        batch_(options.device),
        graph_(options) {
    const std::vector<float> initial = UniformInitialParameters(
        {network.trunk, network.value, network.advantage}, network.layout.size(), random);
    online_.model().parameters().copy_(torch::tensor(initial));
    target_.model().parameters().copy_(torch::tensor(initial));
  }

  absl::Status Update(const OffPolicyBatch& batch, double progress,
                      absl::Span<float> priorities) override;
  Diagnostics diagnostics() const override;
  DiagnosticNames diagnostic_names() const override { return DqnDiagnosticNames(); }

  const ParameterLayout& acting_layout() const override { return online_.network().layout; }
  torch::Tensor acting_parameters() override { return host_.Get(); }
  void ActingParametersChanged() override { host_.Push(); }

  void Save(TensorMap& state) const override;
  absl::Status Restore(const TensorMap& state) override;

 private:
  // What graphs hold.
  void ComputeGradient();
  void Step();
  void UpdateTargetNetwork();

  const DqnConfig config_;
  const QLossKind loss_kind_;
  const std::optional<CategoricalSupport> support_;  // Distributional only.
  QNetwork online_, target_;
  TensorAdam adam_;
  HostCopy host_;
  int64_t updates_ = 0;

  StaticBatch batch_;
  SplitGraph graph_;
  // Of the last update.
  torch::Tensor targets_;        // [B, Z]
  torch::Tensor gradient_norm_;  // []
  QGradient gradient_;
  double learning_rate_ = 0;
};

absl::Status DqnOnDevice::Update(const OffPolicyBatch& batch, double progress,
                                 absl::Span<float> priorities) {
  Enter(UpdatePart::kPrepare);
  if (batch_.Assign(batch)) graph_.Forget();
  learning_rate_ = config_.learning_rate();
  if (config_.learning_rate_schedule() == LINEAR_TO_ZERO)
    learning_rate_ *= 1.0 - std::clamp(progress, 0.0, 1.0);
  adam_.SetLearningRate(learning_rate_);
  Enter(UpdatePart::kForward);
  CADRE_RETURN_IF_ERROR(graph_.Run(
      collective(),
      {{[this] { ComputeGradient(); }, {online_.model().gradient()}}, {[this] { Step(); }}}));
  host_.Stale();
  Enter(UpdatePart::kOptimize);
  UpdateTargetNetwork();
  if (priorities.empty()) return absl::OkStatus();
  CADRE_CHECK(priorities.size() == batch.size());
  const torch::Tensor errors = gradient_.errors.cpu();
  std::copy_n(errors.data_ptr<float>(), priorities.size(), priorities.begin());
  return absl::OkStatus();
}

void DqnOnDevice::ComputeGradient() {
  torch::NoGradGuard no_graph;
  const OffPolicyBatch& batch = batch_.get();
  NextOutputs next;
  next.target = target_.Forward(batch.next_observations);
  next.chooser = config_.double_q() ? online_.Forward(batch.next_observations) : next.target;
  targets_ = support_ ? CategoricalTargets(*support_, next, batch) : TdTargets(next, batch);
  const torch::Tensor outputs = online_.Forward(batch.observations);
  QGradientOfTensors(loss_kind_, outputs, targets_, batch, gradient_);
  const torch::Tensor gradient = online_.model().gradient();
  gradient.zero_();
  online_.Backward(gradient_.outputs);
}

void DqnOnDevice::Step() {
  torch::NoGradGuard no_graph;
  const torch::Tensor gradient = online_.model().gradient();
  gradient_norm_ = gradient.norm();
  adam_.Step(online_.model().parameters(), gradient,
             ClippingDivisor(gradient_norm_, config_.max_gradient_norm()));
}

void DqnOnDevice::UpdateTargetNetwork() {
  ++updates_;
  if (updates_ % config_.target_update_interval() != 0) return;
  const torch::Tensor target = target_.model().parameters();
  if (config_.target_update_rate() == 1)
    target.copy_(online_.model().parameters());
  else
    target.lerp_(online_.model().parameters(), config_.target_update_rate());
}

Diagnostics DqnOnDevice::diagnostics() const {
  if (!targets_.defined()) return {};
  torch::Tensor values = targets_;
  if (support_) values = targets_.matmul(SupportValues(*support_, targets_.device()));
  return {{"value_loss", Mean(gradient_.losses)},
          {"error", Mean(gradient_.errors)},
          {"target_value", Mean(values)},
          {"gradient_norm", gradient_norm_.item<double>()},
          {"learning_rate", learning_rate_}};
}

void DqnOnDevice::Save(TensorMap& state) const {
  const torch::Tensor target = target_.model().parameters().cpu();
  adam_.Save("adam", state);
  state.Add<float>("dqn.target", {target.numel()}, Flat(target));
  state.AddScalar<int64_t>("dqn.updates", updates_);
}

absl::Status DqnOnDevice::Restore(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(adam_.Restore("adam", state));
  const torch::Tensor target = torch::empty({target_.model().parameters().numel()});
  absl::Status status = state.Read("dqn.target", Flat(target));
  status.Update(state.Read("dqn.updates", absl::MakeSpan(&updates_, 1)));
  if (!status.ok()) return absl::DataLossError(status.message());
  target_.model().parameters().copy_(target);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDqnOnDevice(
    const DqnConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& options) {
  CADRE_ASSIGN_OR_RETURN(const ActionValueNetwork network,
                         MakeActionValueNetwork(model, config, observation, action));
  return std::make_unique<DqnOnDevice>(config, network, random, options);
}

}  // namespace cadre
