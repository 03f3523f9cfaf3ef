// Soft actor-critic of continuous actions on a device; see sac.h.
#include "learner/algorithms/sac.h"

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/critic_input.h"
#include "learner/algorithms/on_device/device_critics.h"
#include "learner/algorithms/on_device/device_graph.h"
#include "learner/algorithms/on_device/device_temperature.h"
#include "learner/algorithms/on_device/head_gradients.h"
#include "learner/algorithms/on_device/normal_source.h"
#include "learner/algorithms/on_device/on_device.h"
#include "learner/algorithms/on_device/static_batch.h"
#include "learner/algorithms/squashed_gaussian.h"
#include "learner/algorithms/tensor_spans.h"
#include "policy/action_range.h"

namespace cadre {
namespace {

class SacOnDevice final : public OffPolicyAlgorithm {
 public:
  // `random` after the initial parameters were drawn from it.
  SacOnDevice(const SacConfig& config, ContinuousPolicyNetwork policy,
              const CriticNetworks& critics, const std::vector<float>& initial_policy,
              const std::vector<float>& initial_critics, Random random,
              const DeviceOptions& options)
      : config_(config),
        network_(std::move(policy)),
        noise_source_(random, options),
        policy_({network_.policy}, initial_policy, config.adam_epsilon(),
                config.policy_learning_rate(), DeviceNetworks::Target::kNone, options.device),
        critics_(critics, initial_critics, config.adam_epsilon(), config.value_learning_rate(),
                 options.device),
        temperature_(config, -static_cast<double>(network_.action.dimensions), options.device),
        input_(network_.observation_size, network_.action, options.device),
        next_input_(network_.observation_size, network_.action, options.device),
        batch_(options.device),
        graph_(MakeDeviceGraph(options)) {}

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
    temperature_.Save("temperature", state);
    noise_source_.Save("sac.random", state);
  }

  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(policy_.Restore("policy", state));
    CADRE_RETURN_IF_ERROR(critics_.networks().Restore("critics", state));
    CADRE_RETURN_IF_ERROR(critics_.networks().RestoreParameters("critics", state));
    CADRE_RETURN_IF_ERROR(temperature_.Restore("temperature", state));
    return noise_source_.Restore("sac.random", state);
  }

 private:
  void DrawNoise(int64_t batch_size);
  // What a graph holds: algorithm 1's gradient step.
  void Learn();
  void LearnCritics(const OffPolicyBatch& batch);
  void LearnPolicy(const OffPolicyBatch& batch);

  const SacConfig config_;
  const ContinuousPolicyNetwork network_;
  NormalSource noise_source_;
  DeviceNetworks policy_;
  DeviceCritics critics_;          // Q_1, Q_2 and their targets.
  DeviceTemperature temperature_;  // alpha
  CriticInput input_, next_input_;

  StaticBatch batch_;
  torch::Tensor next_noise_, noise_;  // [B, A]; drawn in this order, as on the CPU.
  const std::unique_ptr<DeviceGraph> graph_;
  // Of the last update.
  torch::Tensor alpha_;         // [] before it.
  torch::Tensor entropy_;       // [] of the policy, estimated.
  torch::Tensor policy_value_;  // [B] min_i Q_i(s, a)
};

absl::Status SacOnDevice::Update(const OffPolicyBatch& batch, double,
                                 absl::Span<float> priorities) {
  Enter(UpdatePart::kPrepare);
  if (batch_.Assign(batch)) graph_->Forget();
  DrawNoise(batch.size());
  Enter(UpdatePart::kForward);
  graph_->Run([this] { Learn(); });
  policy_.host().Stale();
  Enter(UpdatePart::kOptimize);
  critics_.CopyPriorities(priorities);
  return absl::OkStatus();
}

void SacOnDevice::DrawNoise(int64_t batch_size) {
  for (torch::Tensor* noise : {&next_noise_, &noise_}) {
    Reserve(*noise, {batch_size, network_.action.dimensions}, policy_.parameters().device());
    noise_source_.Fill(*noise);
  }
}

void SacOnDevice::Learn() {
  torch::NoGradGuard no_graph;
  const OffPolicyBatch& batch = batch_.get();
  alpha_ = temperature_.value();
  LearnCritics(batch);
  LearnPolicy(batch);
  temperature_.Update(entropy_);
  critics_.networks().MoveTarget(config_.target_update_rate());
}

// Down eq. 5, without its factor 1/2, to
// y = r + gamma (min_i Q'_i(s', a') - alpha log pi(a' | s')), a' ~ pi(. | s').
void SacOnDevice::LearnCritics(const OffPolicyBatch& batch) {
  input_.SetObservations(batch.observations);
  input_.SetEnvironmentActions(batch.actions);
  next_input_.SetObservations(batch.next_observations);
  const SquashedSample next =
      SquashedGaussianForAutograd(policy_.online().Forward(batch.next_observations), next_noise_);
  next_input_.scaled_actions().copy_(next.actions);
  const torch::Tensor soft_value =
      critics_.LeastTarget(next_input_.tensor()).addcmul_(alpha_, next.log_probs, -1);
  critics_.Learn(input_.tensor(), torch::addcmul(batch.rewards, batch.discounts, soft_value),
                 batch.weights);
}

// Down the mean of alpha log pi(a | s) - min_i Q_i(s, a), a reparameterised (eq. 9).
void SacOnDevice::LearnPolicy(const OffPolicyBatch& batch) {
  const torch::Tensor head = policy_.online().Forward(batch.observations);
  const SquashedSample sample = SquashedGaussianForAutograd(head, noise_);
  input_.scaled_actions().copy_(sample.actions);
  const double share = 1.0 / static_cast<double>(batch.size());
  const torch::Tensor input_gradient = critics_.DescendLeast(input_.tensor(), share, policy_value_);
  const torch::Tensor action_gradient =
      input_gradient.narrow(1, network_.observation_size, network_.action.dimensions);
  policy_.Backward(
      SquashedGaussianGradientOfTensors(head, sample, action_gradient, alpha_ * share));
  policy_.Step();
  entropy_ = -sample.log_probs.mean();
}

Diagnostics SacOnDevice::diagnostics() const {
  if (!entropy_.defined()) return {};
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
  CADRE_ASSIGN_OR_RETURN(ContinuousPolicyNetwork policy,
                         MakeContinuousPolicy(model, /*gaussian=*/true, observation, action));
  CADRE_RETURN_IF_ERROR(ActionRange::Create(action).status());
  CADRE_ASSIGN_OR_RETURN(CriticNetworks critics, MakeCritics(model, 2, observation, action));
  const auto initial_policy =
      UniformInitialParameters({policy.policy}, policy.layout.size(), random);
  const auto initial_critics =
      UniformInitialParameters(critics.critics, critics.layout.size(), random);
  return std::make_unique<SacOnDevice>(config, std::move(policy), critics, initial_policy,
                                       initial_critics, random, options);
}

}  // namespace cadre
