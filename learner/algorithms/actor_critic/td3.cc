// And DDPG, which is TD3 with one critic, no noise on the targets' actions and no delay.
#include "learner/algorithms/actor_critic/td3.h"

#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/actor_critic/critic_loss.h"
#include "learner/algorithms/actor_critic/ddpg.h"
#include "learner/algorithms/actor_critic/policy_and_critics.h"
#include "learner/algorithms/device/normal_source.h"
#include "learner/algorithms/device/split_graph.h"
#include "learner/algorithms/device/static_batch.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "policy/networks/off_policy_network.h"

namespace cadre {
namespace {

// How the two differ.
struct Variant {
  int critics = 2;
  int64_t policy_delay = 1;
  bool smooth = false;  // Noise on the targets' actions.
  double target_noise = 0, target_noise_clip = 0;
  double target_update_rate = 0;
  LearningSettings learning;
};

Variant VariantOf(const Td3Config& config) {
  return {.critics = 2,
          .policy_delay = config.policy_delay(),
          .smooth = true,
          .target_noise = config.target_noise(),
          .target_noise_clip = config.target_noise_clip(),
          .target_update_rate = config.target_update_rate(),
          .learning = LearningSettings(config)};
}

Variant VariantOf(const DdpgConfig& config) {
  return {.critics = 1,
          .target_update_rate = config.target_update_rate(),
          .learning = LearningSettings(config)};
}

class Td3 final : public OffPolicyAlgorithm {
 public:
  Td3(const Variant& variant, const ContinuousActorCritic& networks, Random random,
      const DeviceOptions& where)
      : variant_(variant),
        network_(networks.policy),
        action_input_(networks.critics.action_input),
        fast_(where.on_cpu_kernels()),
        models_(network_.network, networks.critics.network, random, variant.learning,
                TrainedModel::Target::kFollows, where),
        first_critic_(models_.critics.online().NewPass({0}, Direction::kForwardAndBackward)),
        scale_(network_.action, where.device),
        noise_source_(random, where),
        batch_(where.device),
        critics_graph_(where),
        policy_graph_(where) {}

  absl::Status Update(const OffPolicyBatch& batch, double progress,
                      absl::Span<float> priorities) override;
  Diagnostics diagnostics() const override;
  DiagnosticNames diagnostic_names() const override {
    return {"policy_loss", "value_loss", "mean_q", "policy_gradient_norm", "value_gradient_norm"};
  }

  const ParameterLayout& acting_layout() const override { return network_.layout(); }
  torch::Tensor acting_parameters() override { return models_.policy.HostParameters(); }
  void ActingParametersChanged() override { models_.policy.HostParametersChanged(); }

  void Save(TensorMap& state) const override {
    models_.Save(state);
    if (!variant_.smooth) return;
    noise_source_.Save("td3.random", state);
    state.AddScalar<int64_t>("td3.updates", updates_);
  }
  absl::Status Restore(const TensorMap& state) override;

 private:
  // Graphs record the parts of each. The policy is updated after every policy_delay-th update of
  // the critics.
  absl::Status UpdateCritics();
  absl::Status UpdatePolicy();
  void ComputeCriticGradient();
  void ComputePolicyGradient();
  void MovePolicy();
  void SetTargetActions(const ObservationBatch& next_observations);

  const Variant variant_;
  const ContinuousPolicyNetwork network_;
  const int action_input_;   // Of the critics.
  const bool fast_;          // Closed forms, on the CPU.
  PolicyAndCritics models_;  // pi, Q_1, Q_2 and their targets.
  const std::unique_ptr<Pass> first_critic_;
  const ActionScale scale_;
  NormalSource noise_source_;
  StaticBatch batch_;
  SplitGraph critics_graph_, policy_graph_;
  int64_t updates_ = 0;  // Updates of the critics.

  // State of the last update; members so that they are allocated once.
  torch::Tensor noise_;                          // [B, A]
  torch::Tensor next_actions_, scaled_actions_;  // [B, A]
  torch::Tensor next_value_, targets_;           // [B, 1], [B]
  CriticErrors errors_;
  torch::Tensor actions_;                // [B, A] pi(s)
  torch::Tensor policy_value_;           // [B, 1] Q_1(s, pi(s))
  torch::Tensor policy_value_gradient_;  // [B, 1]
  torch::Tensor head_gradient_;          // [B, A]
};

// Algorithm 1.
absl::Status Td3::Update(const OffPolicyBatch& batch, double progress,
                         absl::Span<float> priorities) {
  Enter(UpdatePart::kPrepare);
  models_.SetProgress(progress);
  if (batch_.Assign(batch)) {
    critics_graph_.Forget();
    policy_graph_.Forget();
  }
  if (variant_.smooth) {
    Reserve(noise_, {batch.size(), network_.action.dimensions}, models_.policy.gradient().device());
    noise_source_.FillShare(collective(), noise_);
  }
  CADRE_RETURN_IF_ERROR(UpdateCritics());
  CopyPriorities(errors_, priorities);
  if (++updates_ % variant_.policy_delay != 0) return absl::OkStatus();
  return UpdatePolicy();
}

absl::Status Td3::UpdateCritics() {
  return critics_graph_.Run(
      collective(), {{[this] { ComputeCriticGradient(); }, {models_.critics.gradient()}}, {[this] {
                       Enter(UpdatePart::kOptimize);
                       models_.critics.Step();
                     }}});
}

absl::Status Td3::UpdatePolicy() {
  models_.policy.Stepped();
  return policy_graph_.Run(collective(),
                           {{[this] { ComputePolicyGradient(); }, {models_.policy.gradient()}},
                            {[this] { MovePolicy(); }}});
}

// a' = clip(pi'(s') + clip(e, -c, c), -1, 1), e normal (section 5.3).
void Td3::SetTargetActions(const ObservationBatch& next_observations) {
  const torch::Tensor head = models_.policy.TargetForward(next_observations.columns)[0];
  Reserve(next_actions_, head.sizes(), head.device());
  torch::tanh_out(next_actions_, head);
  if (!variant_.smooth) return;
  const double bound = variant_.target_noise_clip;
  next_actions_.add_((noise_ * variant_.target_noise).clamp_(-bound, bound)).clamp_(-1, 1);
}

// To y = r + gamma min_i Q'_i(s', a').
void Td3::ComputeCriticGradient() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kForward);
  const OffPolicyBatch& batch = batch_.get();
  SetTargetActions(batch.next_observations);
  MinimumOfCritics(models_.critics.TargetForward(batch.next_observations.With(next_actions_)),
                   next_value_);
  BootstrapTargets(batch.rewards, batch.discounts, next_value_.squeeze(1), targets_);
  scale_.Scale(batch.actions, scaled_actions_);
  const auto& values = models_.critics.Forward(batch.observations.With(scaled_actions_));
  Enter(UpdatePart::kLoss);
  ComputeCriticErrors(values, /*actions=*/{}, targets_, batch.weights, fast_, errors_);
  Enter(UpdatePart::kBackward);
  models_.critics.Backward(errors_.gradients);
}

// Down the mean of -Q_1(s, pi(s)), through the actions (Silver et al. 2014, theorem 1).
void Td3::ComputePolicyGradient() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kForward);
  const OffPolicyBatch& batch = batch_.get();
  const torch::Tensor head = models_.policy.Forward(batch.observations.columns)[0];
  Reserve(actions_, head.sizes(), head.device());
  torch::tanh_out(actions_, head);
  const torch::Tensor value = first_critic_->Forward(batch.observations.With(actions_))[0];
  Reserve(policy_value_, value.sizes(), value.device());
  policy_value_.copy_(value);
  Enter(UpdatePart::kBackward);
  Reserve(policy_value_gradient_, value.sizes(), value.device());
  policy_value_gradient_.fill_(-1.0 / static_cast<double>(batch.size()));
  const torch::Tensor action_gradient =
      first_critic_->InputGradient({policy_value_gradient_}, action_input_);
  Reserve(head_gradient_, head.sizes(), head.device());
  torch::tanh_backward_out(head_gradient_, action_gradient, actions_);
  models_.policy.Backward({head_gradient_});
}

// And the targets after it.
void Td3::MovePolicy() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kOptimize);
  models_.policy.Step();
  models_.critics.MoveTarget(variant_.target_update_rate);
  models_.policy.MoveTarget(variant_.target_update_rate);
}

absl::Status Td3::Restore(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(models_.Restore(state));
  if (!variant_.smooth) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(noise_source_.Restore("td3.random", state));
  const absl::StatusOr<int64_t> updates = state.ReadScalar<int64_t>("td3.updates");
  if (!updates.ok()) return absl::DataLossError(updates.status().message());
  updates_ = *updates;
  return absl::OkStatus();
}

Diagnostics Td3::diagnostics() const {
  return {{"policy_loss", -Mean(policy_value_)},
          {"value_loss", Mean(errors_.losses)},
          {"mean_q", Mean(errors_.values)},
          {"policy_gradient_norm", models_.policy.GradientNorm()},
          {"value_gradient_norm", models_.critics.GradientNorm()}};
}

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> Make(const Variant& variant,
                                                         const ModelConfig& model,
                                                         const ObservationSpace& observation,
                                                         const ActionSpace& action, Random random,
                                                         const DeviceOptions& where) {
  CADRE_ASSIGN_OR_RETURN(
      const ContinuousActorCritic networks,
      MakeContinuousActorCritic(model, /*gaussian=*/false, variant.critics, observation, action));
  return std::make_unique<Td3>(variant, networks, random, where);
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeTd3(
    const Td3Config& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where) {
  return Make(VariantOf(config), model, observation, action, random, where);
}

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDdpg(
    const DdpgConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where) {
  return Make(VariantOf(config), model, observation, action, random, where);
}

}  // namespace cadre
