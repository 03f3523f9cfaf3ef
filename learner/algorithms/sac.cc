#include "learner/algorithms/sac.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/critic_input.h"
#include "learner/algorithms/critic_loss.h"
#include "learner/algorithms/diagnostic_names.h"
#include "learner/algorithms/normal_noise.h"
#include "learner/algorithms/optimizer_state.h"
#include "learner/algorithms/squashed_gaussian.h"
#include "learner/algorithms/temperature.h"
#include "learner/algorithms/tensor_spans.h"
#include "learner/algorithms/trained_networks.h"
#include "policy/off_policy_network.h"

namespace cadre {
namespace {

class Sac final : public OffPolicyAlgorithm {
 public:
  Sac(const SacConfig& config, ContinuousActorCritic networks, Random random, torch::Device device)
      : config_(config),
        network_(std::move(networks.policy)),
        random_(random),
        policy_({network_.policy},
                UniformInitialParameters({network_.policy}, network_.layout.size(), random_),
                config.adam_epsilon(), TrainedNetworks::Target::kNone, device),
        critics_(networks.critics.critics,
                 UniformInitialParameters(networks.critics.critics, networks.critics.layout.size(),
                                          random_),
                 config.adam_epsilon(), TrainedNetworks::Target::kPolyak, device),
        temperature_(config, -static_cast<double>(network_.action.dimensions)),
        input_(network_.observation_size, network_.action, device),
        next_input_(network_.observation_size, network_.action, device),
        head_gradient_(1) {}

  absl::Status Update(const OffPolicyBatch& batch, double progress,
                      absl::Span<float> priorities) override;
  Diagnostics diagnostics() const override;
  DiagnosticNames diagnostic_names() const override { return SacDiagnosticNames(); }

  const ParameterLayout& acting_layout() const override { return network_.layout; }
  torch::Tensor acting_parameters() override { return policy_.HostParameters(); }
  void ActingParametersChanged() override { policy_.HostParametersChanged(); }

  void Save(TensorMap& state) const override {
    policy_.Save("policy", state);
    critics_.Save("critics", state);
    critics_.SaveParameters("critics", state);
    temperature_.Save("temperature", state);
    SaveRandom("sac.random", random_, state);
  }

  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(policy_.Restore("policy", state));
    CADRE_RETURN_IF_ERROR(critics_.Restore("critics", state));
    CADRE_RETURN_IF_ERROR(critics_.RestoreParameters("critics", state));
    CADRE_RETURN_IF_ERROR(temperature_.Restore("temperature", state));
    return RestoreRandom("sac.random", state, random_);
  }

 private:
  torch::Tensor Sample(const torch::Tensor& observations, SquashedSample& sample);
  absl::Status UpdateCritics(const OffPolicyBatch& batch);
  // And the temperature, after it.
  absl::Status UpdatePolicy(const OffPolicyBatch& batch);

  const SacConfig config_;
  const ContinuousPolicyNetwork network_;
  Random random_;
  TrainedNetworks policy_;
  TrainedNetworks critics_;  // Q_1, Q_2 and their targets.
  Temperature temperature_;  // alpha

  // Of the current update, kept to be allocated once.
  CriticInput input_, next_input_;
  SquashedSample sample_, next_sample_;              // At s and at s'.
  std::vector<torch::Tensor> values_, next_values_;  // By critic [B, 1].
  torch::Tensor next_value_, targets_;               // [B, 1], [B]
  CriticErrors errors_;
  torch::Tensor policy_value_;                  // [B, 1] min_i Q_i(s, a)
  std::vector<torch::Tensor> value_gradients_;  // By critic [B, 1].
  std::vector<torch::Tensor> input_gradients_;  // By critic [B, O + A].
  torch::Tensor action_gradient_;               // [B, A]
  std::vector<torch::Tensor> head_gradient_;    // [B, 2A], of the only network.
  double alpha_ = 0;                            // Before the update.
};

// Algorithm 1.
absl::Status Sac::Update(const OffPolicyBatch& batch, double, absl::Span<float> priorities) {
  alpha_ = temperature_.value();
  CADRE_RETURN_IF_ERROR(UpdateCritics(batch));
  CopyPriorities(errors_, priorities);
  CADRE_RETURN_IF_ERROR(UpdatePolicy(batch));
  critics_.MoveTarget(config_.target_update_rate());
  return absl::OkStatus();
}

// Draws a ~ pi(. | s) and returns the policy's head [B, 2A].
torch::Tensor Sac::Sample(const torch::Tensor& observations, SquashedSample& sample) {
  const torch::Tensor head = policy_.online().Forward(0, observations);
  Reserve(sample.noise, {observations.size(0), network_.action.dimensions}, head.device());
  FillNormalShare(random_, collective(), sample.noise);
  SampleSquashedGaussian(head, network_.log_deviation, sample);
  return head;
}

// Down eq. 5, without its factor 1/2, which Adam does not see.
absl::Status Sac::UpdateCritics(const OffPolicyBatch& batch) {
  Enter(UpdatePart::kPrepare);
  input_.SetObservations(batch.observations);
  input_.SetEnvironmentActions(batch.actions);
  next_input_.SetObservations(batch.next_observations);

  Enter(UpdatePart::kForward);
  // y = r + gamma (min_i Q'_i(s', a') - alpha log pi(a' | s')), a' ~ pi(. | s')
  Sample(batch.next_observations, next_sample_);
  next_input_.scaled_actions().copy_(next_sample_.actions);
  critics_.TargetForward(next_input_.tensor(), next_values_);
  MinimumOfCritics(next_values_, next_value_);
  const torch::Tensor soft_value = next_value_.squeeze(1);
  soft_value.sub_(next_sample_.log_probs, alpha_);
  BootstrapTargets(batch.rewards, batch.discounts, soft_value, targets_);
  critics_.Forward(input_.tensor(), values_);

  Enter(UpdatePart::kLoss);
  ComputeCriticErrors(values_, /*actions=*/{}, targets_, batch.weights, errors_);
  Enter(UpdatePart::kBackward);
  critics_.Backward(errors_.gradients);
  Enter(UpdatePart::kOptimize);
  return critics_.Step(config_.value_learning_rate(), collective());
}

// Down the mean of alpha log pi(a | s) - min_i Q_i(s, a), a reparameterised (eq. 9).
absl::Status Sac::UpdatePolicy(const OffPolicyBatch& batch) {
  Enter(UpdatePart::kForward);
  const torch::Tensor head = Sample(batch.observations, sample_);
  input_.scaled_actions().copy_(sample_.actions);
  critics_.Forward(input_.tensor(), values_);
  MinimumOfCritics(values_, policy_value_);

  Enter(UpdatePart::kBackward);
  const double share = 1.0 / static_cast<double>(batch.size());
  MinimumGradient(values_, -share, value_gradients_);
  critics_.InputGradients(value_gradients_, input_gradients_);
  input_.SumActionGradients(input_gradients_, action_gradient_);
  SquashedGaussianGradient(head, network_.log_deviation, sample_, action_gradient_, alpha_ * share,
                           head_gradient_[0]);
  policy_.Backward(head_gradient_);
  Enter(UpdatePart::kOptimize);
  double entropy = -Mean(sample_.log_probs);
  CADRE_RETURN_IF_ERROR(
      policy_.Step(config_.policy_learning_rate(), collective(), absl::MakeSpan(&entropy, 1)));
  temperature_.Update(entropy);
  return absl::OkStatus();
}

Diagnostics Sac::diagnostics() const {
  const double entropy = -Mean(sample_.log_probs);
  return {{"policy_loss", -alpha_ * entropy - Mean(policy_value_)},
          {"value_loss", Mean(errors_.losses)},
          {"mean_q", Mean(errors_.values)},
          {"entropy", entropy},
          {"temperature", temperature_.value()},
          {"policy_gradient_norm", policy_.GradientNorm()},
          {"value_gradient_norm", critics_.GradientNorm()}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeSac(const SacConfig& config,
                                                            const ModelConfig& model,
                                                            const ObservationSpace& observation,
                                                            const ActionSpace& action,
                                                            Random random, torch::Device device) {
  if (action.discrete()) return MakeDiscreteSac(config, model, observation, action, random, device);
  CADRE_ASSIGN_OR_RETURN(
      ContinuousActorCritic networks,
      MakeContinuousActorCritic(model, /*gaussian=*/true, /*critics=*/2, observation, action));
  return std::make_unique<Sac>(config, std::move(networks), random, device);
}

}  // namespace cadre
