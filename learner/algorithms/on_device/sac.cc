// Soft actor-critic of continuous actions on a device; see sac.h.
#include "learner/algorithms/sac.h"

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/diagnostic_names.h"
#include "learner/algorithms/on_device/device_actor_critic.h"
#include "learner/algorithms/on_device/device_temperature.h"
#include "learner/algorithms/on_device/head_gradients.h"
#include "learner/algorithms/on_device/on_device.h"
#include "learner/algorithms/on_device/split_graph.h"
#include "learner/algorithms/squashed_gaussian.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

class SacOnDevice final : public DeviceActorCritic {
 public:
  SacOnDevice(const SacConfig& config, const ContinuousActorCritic& networks, Random random,
              const DeviceOptions& options)
      : DeviceActorCritic(networks, random, ActorCriticAdam(config), DeviceNetworks::Target::kNone,
                          options),
        config_(config),
        temperature_(config, -static_cast<double>(network_.action.dimensions), options.device),
        graph_(options),
        alpha_(torch::zeros({}, options.device)),
        entropy_(torch::zeros({}, options.device)) {}

  absl::Status Update(const OffPolicyBatch& batch, double progress,
                      absl::Span<float> priorities) override;
  Diagnostics diagnostics() const override;
  DiagnosticNames diagnostic_names() const override { return SacDiagnosticNames(); }

  void Save(TensorMap& state) const override {
    SaveNetworks(state);
    temperature_.Save("temperature", state);
    noise_source_.Save("sac.random", state);
  }

  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(RestoreNetworks(state));
    CADRE_RETURN_IF_ERROR(temperature_.Restore("temperature", state));
    return noise_source_.Restore("sac.random", state);
  }

 private:
  // Algorithm 1's gradient step, what graphs hold: both gradients, each before its step.
  void ComputeCriticGradient();
  void ComputePolicyGradient();
  void MovePolicy();

  const SacConfig config_;
  DeviceTemperature temperature_;  // alpha

  torch::Tensor next_noise_, noise_;  // [B, A]; drawn in this order, as on the CPU.
  SplitGraph graph_;
  // Of the last update.
  const torch::Tensor alpha_;    // [] before it.
  const torch::Tensor entropy_;  // [] of the policy, estimated; of all learners' batches.
  torch::Tensor policy_value_;   // [B] min_i Q_i(s, a); undefined before the first.
};

absl::Status SacOnDevice::Update(const OffPolicyBatch& batch, double,
                                 absl::Span<float> priorities) {
  Enter(UpdatePart::kPrepare);
  if (batch_.Assign(batch)) graph_.Forget();
  DrawNoise(batch.size(), next_noise_);
  DrawNoise(batch.size(), noise_);
  Enter(UpdatePart::kForward);
  CADRE_RETURN_IF_ERROR(
      graph_.Run(collective(),
                 {{[this] { ComputeCriticGradient(); }, {critics_.networks().gradient()}},
                  {[this] {
                     critics_.networks().Step();
                     ComputePolicyGradient();
                   },
                   {policy_.gradient(), entropy_}},  // The temperature follows the entropy of all.
                  {[this] { MovePolicy(); }}}));
  policy_.host().Stale();
  Enter(UpdatePart::kOptimize);
  critics_.CopyPriorities(priorities);
  return absl::OkStatus();
}

// Down eq. 5, without its factor 1/2, to
// y = r + gamma (min_i Q'_i(s', a') - alpha log pi(a' | s')), a' ~ pi(. | s').
void SacOnDevice::ComputeCriticGradient() {
  torch::NoGradGuard no_graph;
  const OffPolicyBatch& batch = batch_.get();
  alpha_.copy_(temperature_.value());
  SetCriticInputs();
  const SquashedSample next = SquashedGaussianForAutograd(
      policy_.online().Forward(batch.next_observations), network_.log_deviation, next_noise_);
  next_input_.scaled_actions().copy_(next.actions);
  const torch::Tensor soft_value =
      critics_.LeastTarget(next_input_.tensor()).addcmul_(alpha_, next.log_probs, -1);
  critics_.ComputeGradient(
      input_.tensor(), torch::addcmul(batch.rewards, batch.discounts, soft_value), batch.weights);
}

// Down the mean of alpha log pi(a | s) - min_i Q_i(s, a), a reparameterised (eq. 9).
void SacOnDevice::ComputePolicyGradient() {
  torch::NoGradGuard no_graph;
  const OffPolicyBatch& batch = batch_.get();
  const torch::Tensor head = policy_.online().Forward(batch.observations);
  const SquashedSample sample = SquashedGaussianForAutograd(head, network_.log_deviation, noise_);
  input_.scaled_actions().copy_(sample.actions);
  const double share = 1.0 / static_cast<double>(batch.size());
  const torch::Tensor input_gradient = critics_.DescendLeast(input_.tensor(), share, policy_value_);
  policy_.Backward(SquashedGaussianGradientOfTensors(head, network_.log_deviation, sample,
                                                     OfActions(input_gradient), alpha_ * share));
  entropy_.copy_(-sample.log_probs.mean());
}

void SacOnDevice::MovePolicy() {
  torch::NoGradGuard no_graph;
  policy_.Step();
  temperature_.Update(entropy_);
  critics_.networks().MoveTarget(config_.target_update_rate());
}

Diagnostics SacOnDevice::diagnostics() const {
  if (!policy_value_.defined()) return {};
  const double entropy = entropy_.item<double>();
  return {{"policy_loss", -alpha_.item<double>() * entropy - Mean(policy_value_)},
          {"value_loss", critics_.MeanLoss()},
          {"mean_q", critics_.MeanValue()},
          {"entropy", entropy},
          {"temperature", temperature_.value().item<double>()},
          {"policy_gradient_norm", policy_.GradientNorm()},
          {"value_gradient_norm", critics_.networks().GradientNorm()}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeSacOnDevice(
    const SacConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& options) {
  CADRE_ASSIGN_OR_RETURN(
      const ContinuousActorCritic networks,
      MakeContinuousActorCritic(model, /*gaussian=*/true, /*critics=*/2, observation, action));
  return std::make_unique<SacOnDevice>(config, networks, random, options);
}

}  // namespace cadre
