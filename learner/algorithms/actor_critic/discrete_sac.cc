#include <cmath>
#include <limits>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/actor_critic/critic_loss.h"
#include "learner/algorithms/actor_critic/policy_and_critics.h"
#include "learner/algorithms/actor_critic/sac.h"
#include "learner/algorithms/actor_critic/soft_value.h"
#include "learner/algorithms/actor_critic/temperature.h"
#include "learner/algorithms/device/split_graph.h"
#include "learner/algorithms/device/static_batch.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "policy/networks/off_policy_network.h"

namespace cadre {
namespace {

// The default target, as a share of the entropy of uniform actions. With the paper's 0.98 the
// policy has to stay all but uniform: where that earns nothing, the temperature rises until the
// critics diverge.
constexpr double kTargetEntropyShare = 0.4;

class DiscreteSac final : public OffPolicyAlgorithm {
 public:
  DiscreteSac(const SacConfig& config, const DiscretePolicyNetwork& policy,
              const CriticNetworks& critics, Random random, const DeviceOptions& where)
      : config_(config),
        network_(policy),
        fast_(where.on_cpu_kernels()),
        models_(network_.network, critics.network, random, LearningSettings(config),
                TrainedModel::Target::kNone, where),
        temperature_(
            Temperature::Settings::Of(
                config, kTargetEntropyShare * std::log(static_cast<double>(network_.actions))),
            where),
        batch_(where.device),
        graph_(where),
        entropy_(torch::full({}, std::numeric_limits<float>::quiet_NaN(), where.device)) {}

  absl::Status Update(const OffPolicyBatch& batch, double progress,
                      absl::Span<float> priorities) override;
  Diagnostics diagnostics() const override;
  DiagnosticNames diagnostic_names() const override { return SacDiagnosticNames(); }

  const ParameterLayout& acting_layout() const override { return network_.layout(); }
  torch::Tensor acting_parameters() override { return models_.policy.HostParameters(); }
  void ActingParametersChanged() override { models_.policy.HostParametersChanged(); }

  void Save(TensorMap& state) const override {
    models_.Save(state);
    temperature_.Save("temperature", state);
  }

  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(models_.Restore(state));
    return temperature_.Restore("temperature", state);
  }

 private:
  // [B, n]; masked where an action is not allowed.
  torch::Tensor PolicyLogits(const ObservationBatch& observations) {
    return Masked(models_.policy.Forward(observations.columns)[0], observations.mask);
  }
  // The parts of algorithm 1's gradient step that graphs record.
  void ComputeCriticGradient();
  void ComputePolicyGradient();
  void MovePolicy();

  const SacConfig config_;
  const DiscretePolicyNetwork network_;
  const bool fast_;          // Closed forms, on the CPU.
  PolicyAndCritics models_;  // pi; Q_1, Q_2 and their targets.
  Temperature temperature_;  // alpha
  StaticBatch batch_;
  SplitGraph graph_;

  // State of the last update; members so that they are allocated once.
  torch::Tensor minimum_, targets_;  // [B, n], [B]
  SoftValues next_soft_, soft_;      // At s' and at s.
  CriticErrors errors_;
  const torch::Tensor entropy_;  // [] of the policy, over all learners' batches.
};

absl::Status DiscreteSac::Update(const OffPolicyBatch& batch, double progress,
                                 absl::Span<float> priorities) {
  Enter(UpdatePart::kPrepare);
  models_.SetProgress(progress);
  if (batch_.Assign(batch)) graph_.Forget();
  CADRE_RETURN_IF_ERROR(
      graph_.Run(collective(), {{[this] { ComputeCriticGradient(); }, {models_.critics.gradient()}},
                                {[this] {
                                   Enter(UpdatePart::kOptimize);
                                   models_.critics.Step();
                                   ComputePolicyGradient();
                                 },
                                 {models_.policy.gradient(), entropy_}},
                                {[this] { MovePolicy(); }}}));
  models_.policy.Stepped();
  CopyPriorities(errors_, priorities);
  return absl::OkStatus();
}

void DiscreteSac::ComputeCriticGradient() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kForward);
  const OffPolicyBatch& batch = batch_.get();
  // y = r + gamma V(s'), V of the lesser of the targets' values.
  MinimumOfCritics(models_.critics.TargetForward(batch.next_observations.columns), minimum_);
  ComputeSoftValues(PolicyLogits(batch.next_observations), minimum_, temperature_.value(),
                    /*with_gradient=*/false, fast_, next_soft_);
  BootstrapTargets(batch.rewards, batch.discounts, next_soft_.values, targets_);
  const auto& values = models_.critics.Forward(batch.observations.columns);
  Enter(UpdatePart::kLoss);
  ComputeCriticErrors(values, batch.actions, targets_, batch.weights, fast_, errors_);
  Enter(UpdatePart::kBackward);
  models_.critics.Backward(errors_.gradients);
}

// Down the mean of -V(s), Q held (eq. 12).
void DiscreteSac::ComputePolicyGradient() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kForward);
  const OffPolicyBatch& batch = batch_.get();
  MinimumOfCritics(models_.critics.Forward(batch.observations.columns), minimum_);
  const torch::Tensor logits = PolicyLogits(batch.observations);
  Enter(UpdatePart::kLoss);
  ComputeSoftValues(logits, minimum_, temperature_.value(), /*with_gradient=*/true, fast_, soft_);
  Enter(UpdatePart::kBackward);
  models_.policy.Backward({MaskedGradient(soft_.gradient, batch.observations.mask)});
  entropy_.copy_(soft_.entropies.mean());
}

void DiscreteSac::MovePolicy() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kOptimize);
  models_.policy.Step();
  temperature_.Update(entropy_);
  models_.critics.MoveTarget(config_.target_update_rate());
}

Diagnostics DiscreteSac::diagnostics() const {
  return {{"policy_loss", -Mean(soft_.values)},
          {"value_loss", Mean(errors_.losses)},
          {"mean_q", Mean(errors_.values)},
          {"entropy", Mean(soft_.entropies)},
          {"temperature", temperature_.value().item<double>()},
          {"policy_gradient_norm", models_.policy.GradientNorm()},
          {"value_gradient_norm", models_.critics.GradientNorm()}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeDiscreteSac(
    const SacConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where) {
  CADRE_ASSIGN_OR_RETURN(const DiscretePolicyNetwork policy,
                         MakeDiscretePolicy(model, observation, action));
  CADRE_ASSIGN_OR_RETURN(const CriticNetworks critics,
                         MakeCritics(model, /*count=*/2, observation, action));
  return std::make_unique<DiscreteSac>(config, policy, critics, random, where);
}

}  // namespace cadre
