// TD3 on a device, and DDPG, which is TD3 with one critic, no noise and no delay; see td3.h
// and ddpg.h.
#include "learner/algorithms/td3.h"

#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/diagnostic_names.h"
#include "learner/algorithms/on_device/device_actor_critic.h"
#include "learner/algorithms/on_device/on_device.h"
#include "learner/algorithms/on_device/split_graph.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

// What the two have different.
struct Variant {
  int critics = 2;
  int64_t policy_delay = 1;
  bool smooth = false;  // Noise on the targets' actions.
  double target_noise = 0, target_noise_clip = 0;
  double target_update_rate = 0;
  ActorCriticAdam adam;
};

Variant VariantOf(const Td3Config& config) {
  return {.critics = 2,
          .policy_delay = config.policy_delay(),
          .smooth = true,
          .target_noise = config.target_noise(),
          .target_noise_clip = config.target_noise_clip(),
          .target_update_rate = config.target_update_rate(),
          .adam = ActorCriticAdam(config)};
}

Variant VariantOf(const DdpgConfig& config) {
  return {.critics = 1,
          .target_update_rate = config.target_update_rate(),
          .adam = ActorCriticAdam(config)};
}

class Td3OnDevice final : public DeviceActorCritic {
 public:
  Td3OnDevice(const Variant& variant, const ContinuousActorCritic& networks, Random random,
              const DeviceOptions& options)
      : DeviceActorCritic(networks, random, variant.adam, DeviceNetworks::Target::kPolyak, options),
        variant_(variant),
        critics_graph_(options),
        policy_graph_(options) {}

  absl::Status Update(const OffPolicyBatch& batch, double progress,
                      absl::Span<float> priorities) override;
  Diagnostics diagnostics() const override;
  DiagnosticNames diagnostic_names() const override { return DeterministicDiagnosticNames(); }

  void Save(TensorMap& state) const override {
    SaveNetworks(state);
    if (!variant_.smooth) return;
    noise_source_.Save("td3.random", state);
    state.AddScalar<int64_t>("td3.updates", updates_);
  }
  absl::Status Restore(const TensorMap& state) override;

 private:
  // Each with what graphs hold; the second follows every policy_delay-th first.
  absl::Status UpdateCritics();
  absl::Status UpdatePolicy();
  void ComputeCriticGradient();
  void ComputePolicyGradient();
  void MovePolicy();
  torch::Tensor TargetActions(const torch::Tensor& next_observations);

  const Variant variant_;
  int64_t updates_ = 0;  // Of the critics.

  torch::Tensor noise_;  // [B, A]
  SplitGraph critics_graph_, policy_graph_;
  torch::Tensor policy_value_;  // [B] Q_1(s, pi(s)) of the policy's last update.
};

// Algorithm 1.
absl::Status Td3OnDevice::Update(const OffPolicyBatch& batch, double,
                                 absl::Span<float> priorities) {
  Enter(UpdatePart::kPrepare);
  if (batch_.Assign(batch)) {
    critics_graph_.Forget();
    policy_graph_.Forget();
  }
  if (variant_.smooth) DrawNoise(batch.size(), noise_);
  Enter(UpdatePart::kForward);
  CADRE_RETURN_IF_ERROR(UpdateCritics());
  if (++updates_ % variant_.policy_delay == 0) CADRE_RETURN_IF_ERROR(UpdatePolicy());
  Enter(UpdatePart::kOptimize);
  critics_.CopyPriorities(priorities);
  return absl::OkStatus();
}

absl::Status Td3OnDevice::UpdateCritics() {
  return critics_graph_.Run(
      collective(), {{[this] { ComputeCriticGradient(); }, {critics_.networks().gradient()}},
                     {[this] { critics_.networks().Step(); }}});
}

absl::Status Td3OnDevice::UpdatePolicy() {
  policy_.host().Stale();
  return policy_graph_.Run(
      collective(),
      {{[this] { ComputePolicyGradient(); }, {policy_.gradient()}}, {[this] { MovePolicy(); }}});
}

// To y = r + gamma min_i Q'_i(s', a').
void Td3OnDevice::ComputeCriticGradient() {
  torch::NoGradGuard no_graph;
  const OffPolicyBatch& batch = batch_.get();
  SetCriticInputs();
  next_input_.scaled_actions().copy_(TargetActions(batch.next_observations));
  const torch::Tensor next_value = critics_.LeastTarget(next_input_.tensor());
  critics_.ComputeGradient(
      input_.tensor(), torch::addcmul(batch.rewards, batch.discounts, next_value), batch.weights);
}

// a' = clip(pi'(s') + clip(e, -c, c), -1, 1), e normal (section 5.3).
torch::Tensor Td3OnDevice::TargetActions(const torch::Tensor& next_observations) {
  const torch::Tensor actions = policy_.target().Forward(next_observations).tanh();
  if (!variant_.smooth) return actions;
  const double bound = variant_.target_noise_clip;
  return (actions + (noise_ * variant_.target_noise).clamp_(-bound, bound)).clamp_(-1, 1);
}

// Down the mean of -Q_1(s, pi(s)).
void Td3OnDevice::ComputePolicyGradient() {
  torch::NoGradGuard no_graph;
  const OffPolicyBatch& batch = batch_.get();
  const torch::Tensor actions = policy_.online().Forward(batch.observations).tanh();
  input_.scaled_actions().copy_(actions);
  const torch::Tensor input_gradient = critics_.DescendFirst(
      input_.tensor(), 1.0 / static_cast<double>(batch.size()), policy_value_);
  policy_.Backward(torch::tanh_backward(OfActions(input_gradient), actions));
}

// And the targets after it.
void Td3OnDevice::MovePolicy() {
  torch::NoGradGuard no_graph;
  policy_.Step();
  critics_.networks().MoveTarget(variant_.target_update_rate);
  policy_.MoveTarget(variant_.target_update_rate);
}

absl::Status Td3OnDevice::Restore(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(RestoreNetworks(state));
  if (!variant_.smooth) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(noise_source_.Restore("td3.random", state));
  const absl::StatusOr<int64_t> updates = state.ReadScalar<int64_t>("td3.updates");
  if (!updates.ok()) return absl::DataLossError(updates.status().message());
  updates_ = *updates;
  return absl::OkStatus();
}

Diagnostics Td3OnDevice::diagnostics() const {
  return {{"policy_loss", -Mean(policy_value_)},
          {"value_loss", critics_.MeanLoss()},
          {"mean_q", critics_.MeanValue()},
          {"policy_gradient_norm", policy_.GradientNorm()},
          {"value_gradient_norm", critics_.networks().GradientNorm()}};
}

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> Make(const Variant& variant,
                                                         const ModelConfig& model,
                                                         const ObservationSpace& observation,
                                                         const ActionSpace& action, Random random,
                                                         const DeviceOptions& options) {
  CADRE_ASSIGN_OR_RETURN(
      const ContinuousActorCritic networks,
      MakeContinuousActorCritic(model, /*gaussian=*/false, variant.critics, observation, action));
  return std::make_unique<Td3OnDevice>(variant, networks, random, options);
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeTd3OnDevice(
    const Td3Config& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& options) {
  return Make(VariantOf(config), model, observation, action, random, options);
}

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDdpgOnDevice(
    const DdpgConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& options) {
  return Make(VariantOf(config), model, observation, action, random, options);
}

}  // namespace cadre
