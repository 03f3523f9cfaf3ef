#include "learner/algorithms/ddpg.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/critic_input.h"
#include "learner/algorithms/critic_loss.h"
#include "learner/algorithms/deterministic_policy.h"
#include "learner/algorithms/diagnostic_names.h"
#include "learner/algorithms/policy_ascent.h"
#include "learner/algorithms/tensor_spans.h"
#include "learner/algorithms/trained_networks.h"
#include "policy/off_policy_network.h"

namespace cadre {
namespace {

class Ddpg final : public OffPolicyAlgorithm {
 public:
  Ddpg(const DdpgConfig& config, ContinuousActorCritic networks, Random random,
       torch::Device device)
      : config_(config),
        network_(std::move(networks.policy)),
        policy_(network_,
                UniformInitialParameters({network_.policy}, network_.layout.size(), random),
                config.adam_epsilon(), device),
        critic_(networks.critics.critics,
                UniformInitialParameters(networks.critics.critics, networks.critics.layout.size(),
                                         random),
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
    critic_.Save("critics", state);
    critic_.SaveParameters("critics", state);
  }

  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(policy_.networks().Restore("policy", state));
    CADRE_RETURN_IF_ERROR(critic_.Restore("critics", state));
    return critic_.RestoreParameters("critics", state);
  }

 private:
  absl::Status UpdateCritic(const OffPolicyBatch& batch);
  absl::Status UpdatePolicy(const OffPolicyBatch& batch);

  const DdpgConfig config_;
  const ContinuousPolicyNetwork network_;
  DeterministicPolicy policy_;  // mu(s), mu'(s)
  TrainedNetworks critic_;      // Q(s, a), Q'(s, a)

  // Of the current update, kept to be allocated once.
  CriticInput input_, next_input_;
  std::vector<torch::Tensor> values_, next_values_;  // [B, 1], of the only critic.
  torch::Tensor targets_;                            // [B]
  CriticErrors errors_;
  PolicyAscent ascent_;
};

// Algorithm 1, from "Set y_i" on.
absl::Status Ddpg::Update(const OffPolicyBatch& batch, double, absl::Span<float> priorities) {
  CADRE_RETURN_IF_ERROR(UpdateCritic(batch));
  CopyPriorities(errors_, priorities);
  CADRE_RETURN_IF_ERROR(UpdatePolicy(batch));
  critic_.MoveTarget(config_.target_update_rate());
  policy_.networks().MoveTarget(config_.target_update_rate());
  return absl::OkStatus();
}

absl::Status Ddpg::UpdateCritic(const OffPolicyBatch& batch) {
  Enter(UpdatePart::kPrepare);
  input_.SetObservations(batch.observations);
  input_.SetEnvironmentActions(batch.actions);
  next_input_.SetObservations(batch.next_observations);

  Enter(UpdatePart::kForward);
  // y = r + gamma Q'(s', mu'(s'))
  next_input_.scaled_actions().copy_(policy_.TargetActions(batch.next_observations));
  critic_.TargetForward(next_input_.tensor(), next_values_);
  BootstrapTargets(batch.rewards, batch.discounts, next_values_[0].squeeze(1), targets_);
  critic_.Forward(input_.tensor(), values_);

  Enter(UpdatePart::kLoss);
  ComputeCriticErrors(values_, /*actions=*/{}, targets_, batch.weights, errors_);
  Enter(UpdatePart::kBackward);
  critic_.Backward(errors_.gradients);
  Enter(UpdatePart::kOptimize);
  return critic_.Step(config_.value_learning_rate(), collective());
}

// Down the mean of -Q(s, mu(s)).
absl::Status Ddpg::UpdatePolicy(const OffPolicyBatch& batch) {
  Enter(UpdatePart::kForward);
  ascent_.Forward(batch.observations, critic_, input_, policy_);
  Enter(UpdatePart::kBackward);
  ascent_.Backward(critic_, input_, policy_);
  Enter(UpdatePart::kOptimize);
  return policy_.networks().Step(config_.policy_learning_rate(), collective());
}

Diagnostics Ddpg::diagnostics() const {
  return {{"policy_loss", -Mean(ascent_.values())},
          {"value_loss", Mean(errors_.losses)},
          {"mean_q", Mean(errors_.values)},
          {"policy_gradient_norm", policy_.networks().GradientNorm()},
          {"value_gradient_norm", critic_.GradientNorm()}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDdpg(const DdpgConfig& config,
                                                             const ModelConfig& model,
                                                             const ObservationSpace& observation,
                                                             const ActionSpace& action,
                                                             Random random, torch::Device device) {
  CADRE_ASSIGN_OR_RETURN(
      ContinuousActorCritic networks,
      MakeContinuousActorCritic(model, /*gaussian=*/false, /*critics=*/1, observation, action));
  return std::make_unique<Ddpg>(config, std::move(networks), random, device);
}

}  // namespace cadre
