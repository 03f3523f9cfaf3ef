#include "learner/algorithms/dqn.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/kernels/optimizer.h"
#include "common/status_macros.h"
#include "learner/algorithms/collective_sums.h"
#include "learner/algorithms/diagnostic_names.h"
#include "learner/algorithms/optimizer_state.h"
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

std::vector<Mlp> Layers(const ActionValueNetwork& network) {
  return {network.trunk, network.value, network.advantage};
}

class Dqn final : public OffPolicyAlgorithm {
 public:
  Dqn(const DqnConfig& config, const ActionValueNetwork& network, Random random,
      torch::Device device, bool autograd);

  absl::Status Update(const OffPolicyBatch& batch, double progress,
                      absl::Span<float> priorities) override;
  Diagnostics diagnostics() const override;
  DiagnosticNames diagnostic_names() const override { return DqnDiagnosticNames(); }

  const ParameterLayout& acting_layout() const override { return online_.network().layout; }
  torch::Tensor acting_parameters() override { return parameters_; }
  void ActingParametersChanged() override;

  void Save(TensorMap& state) const override;
  absl::Status Restore(const TensorMap& state) override;

 private:
  void SetTargets(const OffPolicyBatch& batch);
  void SetGradient(const torch::Tensor& outputs, const OffPolicyBatch& batch);
  absl::Status Step(double progress);
  void UpdateTargetNetwork();

  const DqnConfig config_;
  const QLossKind loss_kind_;
  const bool closed_form_;                           // On the CPU kernels, not through autograd.
  const std::optional<CategoricalSupport> support_;  // Distributional only.
  QNetwork online_, target_;
  // [P] on the CPU, where the optimiser is: the online network's own where that is there,
  // else what it is copied from.
  torch::Tensor parameters_;
  Adam adam_;
  int64_t updates_ = 0;

  // Of the last update, kept to be allocated once.
  torch::Tensor targets_;  // [B, Z]
  QGradient gradient_;
  torch::Tensor shared_;  // Of AverageGradient.
  double learning_rate_ = 0;
};

Dqn::Dqn(const DqnConfig& config, const ActionValueNetwork& network, Random random,
         torch::Device device, bool autograd)
    : config_(config),
      loss_kind_(LossKind(config)),
      closed_form_(device.is_cpu() && !autograd),
      support_(SupportOf(network)),
      online_(network, device, autograd),
      target_(network, device, autograd),
      adam_(network.layout.size(), {.epsilon = config.adam_epsilon()}) {
  const std::vector<float> initial =
      UniformInitialParameters(Layers(network), network.layout.size(), random);
  parameters_ = closed_form_ ? online_.model().parameters() : torch::empty({network.layout.size()});
  std::copy(initial.begin(), initial.end(), Flat(parameters_).begin());
  ActingParametersChanged();
  target_.model().parameters().copy_(parameters_);
  target_.model().ParametersChanged();
}

void Dqn::ActingParametersChanged() {
  if (!closed_form_) online_.model().parameters().copy_(parameters_);
  online_.model().ParametersChanged();
}

absl::Status Dqn::Update(const OffPolicyBatch& batch, double progress,
                         absl::Span<float> priorities) {
  Enter(UpdatePart::kForward);
  SetTargets(batch);
  const torch::Tensor outputs = online_.Forward(batch.observations);
  Enter(UpdatePart::kLoss);
  SetGradient(outputs, batch);
  Enter(UpdatePart::kBackward);
  online_.model().gradient().zero_();
  online_.Backward(gradient_.outputs);
  Enter(UpdatePart::kOptimize);
  CADRE_RETURN_IF_ERROR(Step(progress));
  UpdateTargetNetwork();
  if (priorities.empty()) return absl::OkStatus();
  CADRE_CHECK(priorities.size() == batch.size());
  const torch::Tensor errors = gradient_.errors.cpu();
  std::copy_n(errors.data_ptr<float>(), priorities.size(), priorities.begin());
  return absl::OkStatus();
}

void Dqn::SetTargets(const OffPolicyBatch& batch) {
  NextOutputs next;
  next.target = target_.Forward(batch.next_observations);
  next.chooser = config_.double_q() ? online_.Forward(batch.next_observations) : next.target;
  if (closed_form_ && support_)
    CategoricalTargetsInClosedForm(*support_, next, batch, targets_);
  else if (closed_form_)
    TdTargetsInClosedForm(next, batch, targets_);
  else
    targets_ = support_ ? CategoricalTargets(*support_, next, batch) : TdTargets(next, batch);
}

void Dqn::SetGradient(const torch::Tensor& outputs, const OffPolicyBatch& batch) {
  if (closed_form_)
    QGradientInClosedForm(loss_kind_, outputs, targets_, batch, gradient_);
  else
    QGradientByAutograd(loss_kind_, outputs, targets_, batch, gradient_);
}

absl::Status Dqn::Step(double progress) {
  learning_rate_ = config_.learning_rate();
  if (config_.learning_rate_schedule() == LINEAR_TO_ZERO)
    learning_rate_ *= 1.0 - std::clamp(progress, 0.0, 1.0);
  const torch::Tensor gradient = online_.model().gradient().cpu();
  if (collective() != nullptr)
    CADRE_RETURN_IF_ERROR(AverageGradient(*collective(), gradient, {}, shared_));
  const float scale = config_.max_gradient_norm() > 0
                          ? GradientScale(GradientNorm(Flat(gradient)), config_.max_gradient_norm())
                          : 1.0f;
  adam_.Step(Flat(parameters_), Flat(gradient), learning_rate_, scale);
  ActingParametersChanged();
  return absl::OkStatus();
}

void Dqn::UpdateTargetNetwork() {
  ++updates_;
  if (updates_ % config_.target_update_interval() != 0) return;
  torch::Tensor target = target_.model().parameters();
  if (config_.target_update_rate() == 1)
    target.copy_(online_.model().parameters());
  else
    target.lerp_(online_.model().parameters(), config_.target_update_rate());
  target_.model().ParametersChanged();
}

Diagnostics Dqn::diagnostics() const {
  if (updates_ == 0 || !targets_.defined()) return {};
  torch::Tensor values = targets_;
  if (support_) values = targets_.matmul(SupportValues(*support_, targets_.device()));
  const torch::Tensor gradient = online_.model().gradient().cpu();
  return {{"value_loss", gradient_.losses.mean().item<double>()},
          {"error", gradient_.errors.mean().item<double>()},
          {"target_value", values.mean().item<double>()},
          {"gradient_norm", GradientNorm(Flat(gradient))},
          {"learning_rate", learning_rate_}};
}

void Dqn::Save(TensorMap& state) const {
  const torch::Tensor target = target_.model().parameters().cpu();
  SaveAdam(adam_, state);
  state.Add<float>("dqn.target", {target.numel()}, Flat(target));
  state.AddScalar<int64_t>("dqn.updates", updates_);
}

absl::Status Dqn::Restore(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(RestoreAdam(state, adam_));
  torch::Tensor target = torch::empty_like(parameters_);
  absl::Status status = state.Read("dqn.target", Flat(target));
  status.Update(state.Read("dqn.updates", absl::MakeSpan(&updates_, 1)));
  if (!status.ok()) return absl::DataLossError(status.message());
  target_.model().parameters().copy_(target);
  target_.model().ParametersChanged();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDqn(
    const DqnConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, torch::Device device, bool autograd) {
  CADRE_ASSIGN_OR_RETURN(const ActionValueNetwork network,
                         MakeActionValueNetwork(model, config, observation, action));
  return std::make_unique<Dqn>(config, network, random, device, autograd);
}

}  // namespace cadre
