// TD3 on a device, and DDPG, which is TD3 with one critic, no noise and no delay; see td3.h
// and ddpg.h.
#include "learner/algorithms/td3.h"

#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/critic_input.h"
#include "learner/algorithms/on_device/device_critics.h"
#include "learner/algorithms/on_device/device_graph.h"
#include "learner/algorithms/on_device/normal_source.h"
#include "learner/algorithms/on_device/on_device.h"
#include "learner/algorithms/on_device/static_batch.h"
#include "learner/algorithms/tensor_spans.h"
#include "policy/action_range.h"

namespace cadre {
namespace {

// What the two have different.
struct Variant {
  int critics = 2;
  int64_t policy_delay = 1;
  bool smooth = false;  // Noise on the targets' actions.
  double target_noise = 0, target_noise_clip = 0;
  double policy_learning_rate = 0, value_learning_rate = 0;
  double target_update_rate = 0;
  double adam_epsilon = 0;
};

Variant VariantOf(const Td3Config& config) {
  return {.critics = 2,
          .policy_delay = config.policy_delay(),
          .smooth = true,
          .target_noise = config.target_noise(),
          .target_noise_clip = config.target_noise_clip(),
          .policy_learning_rate = config.policy_learning_rate(),
          .value_learning_rate = config.value_learning_rate(),
          .target_update_rate = config.target_update_rate(),
          .adam_epsilon = config.adam_epsilon()};
}

Variant VariantOf(const DdpgConfig& config) {
  return {.critics = 1,
          .policy_learning_rate = config.policy_learning_rate(),
          .value_learning_rate = config.value_learning_rate(),
          .target_update_rate = config.target_update_rate(),
          .adam_epsilon = config.adam_epsilon()};
}

class Td3OnDevice final : public OffPolicyAlgorithm {
 public:
  // `random` after the initial parameters were drawn from it.
  Td3OnDevice(const Variant& variant, ContinuousPolicyNetwork policy, const CriticNetworks& critics,
              const std::vector<float>& initial_policy, const std::vector<float>& initial_critics,
              Random random, const DeviceOptions& options)
      : variant_(variant),
        network_(std::move(policy)),
        noise_source_(random, options),
        policy_({network_.policy}, initial_policy, variant.adam_epsilon,
                variant.policy_learning_rate, DeviceNetworks::Target::kPolyak, options.device),
        critics_(critics, initial_critics, variant.adam_epsilon, variant.value_learning_rate,
                 options.device),
        input_(network_.observation_size, network_.action, options.device),
        next_input_(network_.observation_size, network_.action, options.device),
        batch_(options.device),
        critics_graph_(MakeDeviceGraph(options)),
        policy_graph_(MakeDeviceGraph(options)) {}

  absl::Status Update(const OffPolicyBatch& batch, double progress,
                      absl::Span<float> priorities) override;
  Diagnostics diagnostics() const override;

  const ParameterLayout& acting_layout() const override { return network_.layout; }
  torch::Tensor acting_parameters() override { return policy_.host().Get(); }
  void ActingParametersChanged() override { policy_.host().Push(); }

  void Save(TensorMap& state) const override {
    policy_.Save("policy", state);
    critics_.networks().Save("critics", state);
    critics_.networks().SaveParameters("critics", state);
    if (!variant_.smooth) return;
    noise_source_.Save("td3.random", state);
    state.AddScalar<int64_t>("td3.updates", updates_);
  }
  absl::Status Restore(const TensorMap& state) override;

 private:
  // What the two graphs hold; the second follows every policy_delay-th first.
  void LearnCritics();
  void LearnPolicy();
  torch::Tensor TargetActions(const torch::Tensor& next_observations);

  const Variant variant_;
  const ContinuousPolicyNetwork network_;
  NormalSource noise_source_;
  DeviceNetworks policy_;  // The means before tanh.
  DeviceCritics critics_;
  CriticInput input_, next_input_;
  int64_t updates_ = 0;  // Of the critics.

  StaticBatch batch_;
  torch::Tensor noise_;  // [B, A]
  const std::unique_ptr<DeviceGraph> critics_graph_, policy_graph_;
  torch::Tensor policy_value_;  // [B] Q_1(s, pi(s)) of the policy's last update.
};

// Algorithm 1.
absl::Status Td3OnDevice::Update(const OffPolicyBatch& batch, double,
                                 absl::Span<float> priorities) {
  Enter(UpdatePart::kPrepare);
  if (batch_.Assign(batch)) {
    critics_graph_->Forget();
    policy_graph_->Forget();
  }
  if (variant_.smooth) {
    Reserve(noise_, {batch.size(), network_.action.dimensions}, policy_.parameters().device());
    noise_source_.Fill(noise_);
  }
  Enter(UpdatePart::kForward);
  critics_graph_->Run([this] { LearnCritics(); });
  if (++updates_ % variant_.policy_delay == 0) {
    policy_graph_->Run([this] { LearnPolicy(); });
    policy_.host().Stale();
  }
  Enter(UpdatePart::kOptimize);
  critics_.CopyPriorities(priorities);
  return absl::OkStatus();
}

// To y = r + gamma min_i Q'_i(s', a').
void Td3OnDevice::LearnCritics() {
  torch::NoGradGuard no_graph;
  const OffPolicyBatch& batch = batch_.get();
  input_.SetObservations(batch.observations);
  input_.SetEnvironmentActions(batch.actions);
  next_input_.SetObservations(batch.next_observations);
  next_input_.scaled_actions().copy_(TargetActions(batch.next_observations));
  const torch::Tensor next_value = critics_.LeastTarget(next_input_.tensor());
  critics_.Learn(input_.tensor(), torch::addcmul(batch.rewards, batch.discounts, next_value),
                 batch.weights);
}

// a' = clip(pi'(s') + clip(e, -c, c), -1, 1), e normal (section 5.3).
torch::Tensor Td3OnDevice::TargetActions(const torch::Tensor& next_observations) {
  const torch::Tensor actions = policy_.target().Forward(next_observations).tanh();
  if (!variant_.smooth) return actions;
  const double bound = variant_.target_noise_clip;
  return (actions + (noise_ * variant_.target_noise).clamp_(-bound, bound)).clamp_(-1, 1);
}

// Down the mean of -Q_1(s, pi(s)); then the targets move.
void Td3OnDevice::LearnPolicy() {
  torch::NoGradGuard no_graph;
  const OffPolicyBatch& batch = batch_.get();
  const torch::Tensor actions = policy_.online().Forward(batch.observations).tanh();
  input_.scaled_actions().copy_(actions);
  const torch::Tensor input_gradient = critics_.DescendFirst(
      input_.tensor(), 1.0 / static_cast<double>(batch.size()), policy_value_);
  const torch::Tensor action_gradient =
      input_gradient.narrow(1, network_.observation_size, network_.action.dimensions);
  policy_.Backward(torch::tanh_backward(action_gradient, actions));
  policy_.Step();
  critics_.networks().MoveTarget(variant_.target_update_rate);
  policy_.MoveTarget(variant_.target_update_rate);
}

absl::Status Td3OnDevice::Restore(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(policy_.Restore("policy", state));
  CADRE_RETURN_IF_ERROR(critics_.networks().Restore("critics", state));
  CADRE_RETURN_IF_ERROR(critics_.networks().RestoreParameters("critics", state));
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
  CADRE_ASSIGN_OR_RETURN(ContinuousPolicyNetwork policy,
                         MakeContinuousPolicy(model, /*gaussian=*/false, observation, action));
  CADRE_RETURN_IF_ERROR(ActionRange::Create(action).status());
  CADRE_ASSIGN_OR_RETURN(CriticNetworks critics,
                         MakeCritics(model, variant.critics, observation, action));
  const auto initial_policy =
      UniformInitialParameters({policy.policy}, policy.layout.size(), random);
  const auto initial_critics =
      UniformInitialParameters(critics.critics, critics.layout.size(), random);
  return std::make_unique<Td3OnDevice>(variant, std::move(policy), critics, initial_policy,
                                       initial_critics, random, options);
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
