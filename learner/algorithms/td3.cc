#include "learner/algorithms/td3.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/critic_input.h"
#include "learner/algorithms/critic_loss.h"
#include "learner/algorithms/deterministic_policy.h"
#include "learner/algorithms/diagnostic_names.h"
#include "learner/algorithms/normal_noise.h"
#include "learner/algorithms/optimizer_state.h"
#include "learner/algorithms/policy_ascent.h"
#include "learner/algorithms/tensor_spans.h"
#include "learner/algorithms/trained_networks.h"
#include "policy/off_policy_network.h"

namespace cadre {
namespace {

class Td3 final : public OffPolicyAlgorithm {
 public:
  Td3(const Td3Config& config, ContinuousActorCritic networks, Random random, torch::Device device)
      : config_(config),
        network_(std::move(networks.policy)),
        random_(random),
        policy_(network_,
                UniformInitialParameters({network_.policy}, network_.layout.size(), random_),
                config.adam_epsilon(), device),
        critics_(networks.critics.critics,
                 UniformInitialParameters(networks.critics.critics, networks.critics.layout.size(),
                                          random_),
                 config.adam_epsilon(), TrainedNetworks::Target::kPolyak, device),
        input_(network_.observation_size, network_.action, device),
        next_input_(network_.observation_size, network_.action, device) {}

  absl::Status Update(const OffPolicyBatch& batch, double progress,
                      absl::Span<float> priorities) override;
  Diagnostics diagnostics() const override;
  DiagnosticNames diagnostic_names() const override { return DeterministicDiagnosticNames(); }

  const ParameterLayout& acting_layout() const override { return network_.layout; }
  torch::Tensor acting_parameters() override { return policy_.networks().HostParameters(); }
  void ActingParametersChanged() override { policy_.networks().HostParametersChanged(); }

  void Save(TensorMap& state) const override {
    policy_.networks().Save("policy", state);
    critics_.Save("critics", state);
    critics_.SaveParameters("critics", state);
    SaveRandom("td3.random", random_, state);
    state.AddScalar<int64_t>("td3.updates", updates_);
  }

  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(policy_.networks().Restore("policy", state));
    CADRE_RETURN_IF_ERROR(critics_.Restore("critics", state));
    CADRE_RETURN_IF_ERROR(critics_.RestoreParameters("critics", state));
    CADRE_RETURN_IF_ERROR(RestoreRandom("td3.random", state, random_));
    const absl::StatusOr<int64_t> updates = state.ReadScalar<int64_t>("td3.updates");
    if (!updates.ok()) return absl::DataLossError(updates.status().message());
    updates_ = *updates;
    return absl::OkStatus();
  }

 private:
  void SmoothTargetActions(const OffPolicyBatch& batch);
  absl::Status UpdateCritics(const OffPolicyBatch& batch);
  absl::Status UpdatePolicy(const OffPolicyBatch& batch);

  const Td3Config config_;
  const ContinuousPolicyNetwork network_;
  Random random_;
  DeterministicPolicy policy_;  // pi(s), pi'(s)
  TrainedNetworks critics_;     // Q_1, Q_2 and their targets.
  int64_t updates_ = 0;         // Of the critics.

  // Of the current update, kept to be allocated once.
  CriticInput input_, next_input_;
  torch::Tensor noise_;                              // [B, A]
  std::vector<torch::Tensor> values_, next_values_;  // By critic [B, 1].
  torch::Tensor next_value_, targets_;               // [B, 1], [B]
  CriticErrors errors_;
  PolicyAscent ascent_;
};

// Algorithm 1.
absl::Status Td3::Update(const OffPolicyBatch& batch, double, absl::Span<float> priorities) {
  CADRE_RETURN_IF_ERROR(UpdateCritics(batch));
  CopyPriorities(errors_, priorities);
  if (++updates_ % config_.policy_delay() != 0) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(UpdatePolicy(batch));
  critics_.MoveTarget(config_.target_update_rate());
  policy_.networks().MoveTarget(config_.target_update_rate());
  return absl::OkStatus();
}

// a' = clip(pi'(s') + clip(e, -c, c), -1, 1), e normal (section 5.3).
void Td3::SmoothTargetActions(const OffPolicyBatch& batch) {
  torch::Tensor& actions = policy_.TargetActions(batch.next_observations);
  Reserve(noise_, actions.sizes(), actions.device());
  FillNormalShare(random_, collective(), noise_);
  const double bound = config_.target_noise_clip();
  noise_.mul_(config_.target_noise()).clamp_(-bound, bound);
  actions.add_(noise_).clamp_(-1, 1);
  next_input_.scaled_actions().copy_(actions);
}

absl::Status Td3::UpdateCritics(const OffPolicyBatch& batch) {
  Enter(UpdatePart::kPrepare);
  input_.SetObservations(batch.observations);
  input_.SetEnvironmentActions(batch.actions);
  next_input_.SetObservations(batch.next_observations);

  Enter(UpdatePart::kForward);
  // y = r + gamma min_i Q'_i(s', a')
  SmoothTargetActions(batch);
  critics_.TargetForward(next_input_.tensor(), next_values_);
  MinimumOfCritics(next_values_, next_value_);
  BootstrapTargets(batch.rewards, batch.discounts, next_value_.squeeze(1), targets_);
  critics_.Forward(input_.tensor(), values_);

  Enter(UpdatePart::kLoss);
  ComputeCriticErrors(values_, /*actions=*/{}, targets_, batch.weights, errors_);
  Enter(UpdatePart::kBackward);
  critics_.Backward(errors_.gradients);
  Enter(UpdatePart::kOptimize);
  return critics_.Step(config_.value_learning_rate(), collective());
}

// Down the mean of -Q_1(s, pi(s)).
absl::Status Td3::UpdatePolicy(const OffPolicyBatch& batch) {
  Enter(UpdatePart::kForward);
  ascent_.Forward(batch.observations, critics_, input_, policy_);
  Enter(UpdatePart::kBackward);
  ascent_.Backward(critics_, input_, policy_);
  Enter(UpdatePart::kOptimize);
  return policy_.networks().Step(config_.policy_learning_rate(), collective());
}

Diagnostics Td3::diagnostics() const {
  return {{"policy_loss", -Mean(ascent_.values())},
          {"value_loss", Mean(errors_.losses)},
          {"mean_q", Mean(errors_.values)},
          {"policy_gradient_norm", policy_.networks().GradientNorm()},
          {"value_gradient_norm", critics_.GradientNorm()}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeTd3(const Td3Config& config,
                                                            const ModelConfig& model,
                                                            const ObservationSpace& observation,
                                                            const ActionSpace& action,
                                                            Random random, torch::Device device) {
  CADRE_ASSIGN_OR_RETURN(
      ContinuousActorCritic networks,
      MakeContinuousActorCritic(model, /*gaussian=*/false, /*critics=*/2, observation, action));
  return std::make_unique<Td3>(config, std::move(networks), random, device);
}

}  // namespace cadre
