#include "learner/algorithms/sac.h"

#include <cmath>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/critic_loss.h"
#include "learner/algorithms/diagnostic_names.h"
#include "learner/algorithms/soft_value.h"
#include "learner/algorithms/temperature.h"
#include "learner/algorithms/tensor_spans.h"
#include "learner/algorithms/trained_networks.h"
#include "policy/off_policy_network.h"

namespace cadre {
namespace {

// The default target, as a share of the entropy of uniform actions. With the paper's 0.98 the
// policy has to stay all but uniform: where that earns nothing, the temperature rises until the
// critics diverge.
constexpr double kTargetEntropyShare = 0.4;

class DiscreteSac final : public OffPolicyAlgorithm {
 public:
  DiscreteSac(const SacConfig& config, DiscretePolicyNetwork policy, const CriticNetworks& critics,
              Random random, torch::Device device)
      : config_(config),
        network_(std::move(policy)),
        policy_({network_.policy},
                UniformInitialParameters({network_.policy}, network_.layout.size(), random),
                config.adam_epsilon(), TrainedNetworks::Target::kNone, device),
        critics_(critics.critics,
                 UniformInitialParameters(critics.critics, critics.layout.size(), random),
                 config.adam_epsilon(), TrainedNetworks::Target::kPolyak, device),
        temperature_(config,
                     kTargetEntropyShare * std::log(static_cast<double>(network_.actions))) {}

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
  }

  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(policy_.Restore("policy", state));
    CADRE_RETURN_IF_ERROR(critics_.Restore("critics", state));
    CADRE_RETURN_IF_ERROR(critics_.RestoreParameters("critics", state));
    return temperature_.Restore("temperature", state);
  }

 private:
  absl::Status UpdateCritics(const OffPolicyBatch& batch);
  // And the temperature, after it.
  absl::Status UpdatePolicy(const OffPolicyBatch& batch);

  const SacConfig config_;
  const DiscretePolicyNetwork network_;
  TrainedNetworks policy_;
  TrainedNetworks critics_;  // Q_1, Q_2 and their targets.
  Temperature temperature_;  // alpha

  // Of the current update, kept to be allocated once.
  std::vector<torch::Tensor> values_, next_values_;  // By critic [B, n].
  torch::Tensor minimum_, targets_;                  // [B, n], [B]
  SoftValues next_soft_;                             // At s'.
  CriticErrors errors_;
  SoftValues soft_;                           // At s.
  std::vector<torch::Tensor> head_gradient_;  // [B, n], of the only network.
};

// Algorithm 1.
absl::Status DiscreteSac::Update(const OffPolicyBatch& batch, double,
                                 absl::Span<float> priorities) {
  CADRE_RETURN_IF_ERROR(UpdateCritics(batch));
  CopyPriorities(errors_, priorities);
  CADRE_RETURN_IF_ERROR(UpdatePolicy(batch));
  critics_.MoveTarget(config_.target_update_rate());
  return absl::OkStatus();
}

absl::Status DiscreteSac::UpdateCritics(const OffPolicyBatch& batch) {
  Enter(UpdatePart::kForward);
  // y = r + gamma V(s'), V of the lesser of the targets' values.
  critics_.TargetForward(batch.next_observations, next_values_);
  MinimumOfCritics(next_values_, minimum_);
  ComputeSoftValues(policy_.online().Forward(0, batch.next_observations), minimum_,
                    temperature_.value(), /*with_gradient=*/false, next_soft_);
  BootstrapTargets(batch.rewards, batch.discounts, next_soft_.values, targets_);
  critics_.Forward(batch.observations, values_);

  Enter(UpdatePart::kLoss);
  ComputeCriticErrors(values_, batch.actions, targets_, batch.weights, errors_);
  Enter(UpdatePart::kBackward);
  critics_.Backward(errors_.gradients);
  Enter(UpdatePart::kOptimize);
  return critics_.Step(config_.value_learning_rate(), collective());
}

// Down the mean of -V(s), Q held (eq. 12).
absl::Status DiscreteSac::UpdatePolicy(const OffPolicyBatch& batch) {
  Enter(UpdatePart::kForward);
  critics_.Forward(batch.observations, values_);
  MinimumOfCritics(values_, minimum_);
  const torch::Tensor logits = policy_.online().Forward(0, batch.observations);
  Enter(UpdatePart::kLoss);
  ComputeSoftValues(logits, minimum_, temperature_.value(), /*with_gradient=*/true, soft_);
  Enter(UpdatePart::kBackward);
  head_gradient_ = {soft_.gradient};
  policy_.Backward(head_gradient_);
  Enter(UpdatePart::kOptimize);
  double entropy = Mean(soft_.entropies);
  CADRE_RETURN_IF_ERROR(
      policy_.Step(config_.policy_learning_rate(), collective(), absl::MakeSpan(&entropy, 1)));
  temperature_.Update(entropy);
  return absl::OkStatus();
}

Diagnostics DiscreteSac::diagnostics() const {
  return {{"policy_loss", -Mean(soft_.values)},
          {"value_loss", Mean(errors_.losses)},
          {"mean_q", Mean(errors_.values)},
          {"entropy", Mean(soft_.entropies)},
          {"temperature", temperature_.value()},
          {"policy_gradient_norm", policy_.GradientNorm()},
          {"value_gradient_norm", critics_.GradientNorm()}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDiscreteSac(
    const SacConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, torch::Device device) {
  CADRE_ASSIGN_OR_RETURN(DiscretePolicyNetwork policy,
                         MakeDiscretePolicy(model, observation, action));
  CADRE_ASSIGN_OR_RETURN(CriticNetworks critics, MakeCritics(model, 2, observation, action));
  return std::make_unique<DiscreteSac>(config, std::move(policy), critics, random, device);
}

}  // namespace cadre
