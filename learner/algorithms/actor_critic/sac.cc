#include "learner/algorithms/actor_critic/sac.h"

#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/actor_critic/critic_loss.h"
#include "learner/algorithms/actor_critic/policy_and_critics.h"
#include "learner/algorithms/actor_critic/squashed_gaussian.h"
#include "learner/algorithms/actor_critic/temperature.h"
#include "learner/algorithms/device/normal_source.h"
#include "learner/algorithms/device/split_graph.h"
#include "learner/algorithms/device/static_batch.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/optimizer_state.h"
#include "policy/networks/off_policy_network.h"

namespace cadre {
namespace {

class Sac final : public OffPolicyAlgorithm {
 public:
  Sac(const SacSettings& settings, const ContinuousActorCritic& networks, Random random,
      const DeviceOptions& where)
      : settings_(settings),
        network_(networks.policy),
        action_input_(networks.critics.action_input),
        fast_(where.on_cpu_kernels()),
        models_(network_.network, networks.critics.network, random, settings.learning,
                TrainedModel::Target::kNone, where),
        temperature_(settings.temperature, where),
        scale_(network_.action, where.device),
        random_(Random(random)()),  // A stream of its own.
        noise_source_(random, where),
        batch_(where.device),
        graph_(where),
        critics_graph_(where),
        left_out_(torch::zeros({settings.critics, 1, 1}, where.device)),
        alpha_(torch::zeros({}, where.device)),
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
    noise_source_.Save("sac.random", state);
    if (!settings_.draws_critics() && settings_.policy_delay == 1) return;
    SaveRandom("sac.subsets", random_, state);
    state.AddScalar<int64_t>("sac.updates", updates_);
  }

  absl::Status Restore(const TensorMap& state) override;

 private:
  void DrawNoise(int64_t batch_size, torch::Tensor& noise);
  void DrawCritics();
  // The least of the critics, or of those that were drawn.
  void LeastOf(const std::vector<torch::Tensor>& values, torch::Tensor& least);
  // Draws a ~ pi(. | s) from `sample.noise` and returns the policy's head [B, 2A].
  torch::Tensor Sample(const ObservationBatch& observations, SquashedSample& sample);
  // The parts of algorithm 1's gradient step that graphs record: both gradients, each before its
  // step.
  void ComputeCriticGradient();
  void ComputePolicyGradient();
  void MoveCritics();
  void MovePolicy();

  const SacSettings settings_;
  const ContinuousPolicyNetwork network_;
  const int action_input_;   // Of the critics.
  const bool fast_;          // Closed forms, on the CPU.
  PolicyAndCritics models_;  // pi; Q_i and their targets.
  Temperature temperature_;  // alpha
  const ActionScale scale_;
  Random random_;  // Of the critics that are drawn.
  NormalSource noise_source_;
  StaticBatch batch_;
  SplitGraph graph_, critics_graph_;  // Of a whole update, and of one of the critics alone.
  int64_t updates_ = 0;

  // State of the last update; members so that they are allocated once.
  SquashedSample sample_, next_sample_;  // At s and at s'.
  torch::Tensor scaled_actions_;         // [B, A] of the batch.
  torch::Tensor next_value_, targets_;   // [B, 1], [B]
  const torch::Tensor left_out_;         // [N, 1, 1] infinity for critics that were not drawn.
  CriticErrors errors_;
  torch::Tensor policy_value_;                  // [B, 1] min_i Q_i(s, a)
  std::vector<torch::Tensor> value_gradients_;  // By critic [B, 1].
  torch::Tensor head_gradient_;                 // [B, 2A]
  const torch::Tensor alpha_;                   // [], before the update.
  const torch::Tensor entropy_;                 // [] of the policy, over all learners' batches.
};

absl::Status Sac::Update(const OffPolicyBatch& batch, double progress,
                         absl::Span<float> priorities) {
  Enter(UpdatePart::kPrepare);
  models_.SetProgress(progress);
  if (batch_.Assign(batch)) {
    graph_.Forget();
    critics_graph_.Forget();
  }
  if (settings_.draws_critics()) DrawCritics();
  DrawNoise(batch.size(), next_sample_.noise);
  const auto compute = [this] { ComputeCriticGradient(); };
  const SplitGraph::Part critics{compute, {models_.critics.gradient()}};
  if (++updates_ % settings_.policy_delay != 0) {
    CADRE_RETURN_IF_ERROR(critics_graph_.Run(collective(), {critics, {[this] { MoveCritics(); }}}));
  } else {
    DrawNoise(batch.size(), sample_.noise);
    CADRE_RETURN_IF_ERROR(graph_.Run(
        collective(), {critics,
                       {[this] {
                          Enter(UpdatePart::kOptimize);
                          models_.critics.Step();
                          ComputePolicyGradient();
                        },
                        {models_.policy.gradient(),
                         entropy_}},  // The temperature follows the mean of all learners.
                       {[this] { MovePolicy(); }}}));
    models_.policy.Stepped();
  }
  CopyPriorities(errors_, priorities);
  return absl::OkStatus();
}

void Sac::DrawCritics() {
  std::vector<int64_t> order(settings_.critics);
  std::iota(order.begin(), order.end(), 0);
  torch::Tensor left_out =
      torch::full({settings_.critics, 1, 1}, std::numeric_limits<float>::infinity());
  for (int64_t i = 0; i < settings_.subset; ++i) {
    std::swap(order[i], order[i + random_.Below(order.size() - i)]);
    Flat(left_out)[order[i]] = 0;
  }
  left_out_.copy_(left_out);
}

void Sac::LeastOf(const std::vector<torch::Tensor>& values, torch::Tensor& least) {
  if (!settings_.draws_critics()) return MinimumOfCritics(values, least);
  least = torch::stack(values).add_(left_out_).amin(0);
}

void Sac::DrawNoise(int64_t batch_size, torch::Tensor& noise) {
  Reserve(noise, {batch_size, network_.action.dimensions}, entropy_.device());
  noise_source_.FillShare(collective(), noise);
}

torch::Tensor Sac::Sample(const ObservationBatch& observations, SquashedSample& sample) {
  const torch::Tensor head = models_.policy.Forward(observations.columns)[0];
  SampleSquashedGaussian(head, network_.log_deviation, fast_, sample);
  return head;
}

// Down eq. 5, without its factor 1/2, which Adam does not see.
void Sac::ComputeCriticGradient() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kForward);
  const OffPolicyBatch& batch = batch_.get();
  const torch::Tensor alpha = temperature_.value();
  alpha_.copy_(alpha);
  // y = r + gamma (min_i Q'_i(s', a') - alpha log pi(a' | s')), a' ~ pi(. | s')
  Sample(batch.next_observations, next_sample_);
  LeastOf(models_.critics.TargetForward(batch.next_observations.With(next_sample_.actions)),
          next_value_);
  const torch::Tensor soft_value = next_value_.squeeze(1);
  soft_value.addcmul_(alpha, next_sample_.log_probs, -1);
  BootstrapTargets(batch.rewards, batch.discounts, soft_value, targets_);
  scale_.Scale(batch.actions, scaled_actions_);
  const auto& values = models_.critics.Forward(batch.observations.With(scaled_actions_));
  Enter(UpdatePart::kLoss);
  ComputeCriticErrors(values, /*actions=*/{}, targets_, batch.weights, fast_, errors_);
  Enter(UpdatePart::kBackward);
  models_.critics.Backward(errors_.gradients);
}

// Down the mean of alpha log pi(a | s) - min_i Q_i(s, a), a reparameterised (eq. 9).
void Sac::ComputePolicyGradient() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kForward);
  const OffPolicyBatch& batch = batch_.get();
  const torch::Tensor head = Sample(batch.observations, sample_);
  const auto& values = models_.critics.Forward(batch.observations.With(sample_.actions));
  const double share = 1.0 / static_cast<double>(batch.size());
  if (settings_.mean_value) {
    policy_value_ = torch::stack(values).mean(0);
    value_gradients_.assign(values.size(), torch::full_like(values[0], -share / settings_.critics));
    for (torch::Tensor& gradient : value_gradients_) gradient = gradient.clone();
  } else {
    MinimumOfCritics(values, policy_value_);
    MinimumGradient(values, -share, fast_, value_gradients_);
  }
  Enter(UpdatePart::kBackward);
  const torch::Tensor action_gradient =
      models_.critics.InputGradient(value_gradients_, action_input_);
  SquashedGaussianGradient(head, network_.log_deviation, sample_, action_gradient,
                           temperature_.value() * share, fast_, head_gradient_);
  models_.policy.Backward({head_gradient_});
  entropy_.copy_(-sample_.log_probs.mean());
}

void Sac::MoveCritics() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kOptimize);
  models_.critics.Step();
  models_.critics.MoveTarget(settings_.target_update_rate);
}

void Sac::MovePolicy() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kOptimize);
  models_.policy.Step();
  temperature_.Update(entropy_);
  models_.critics.MoveTarget(settings_.target_update_rate);
}

absl::Status Sac::Restore(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(models_.Restore(state));
  CADRE_RETURN_IF_ERROR(temperature_.Restore("temperature", state));
  CADRE_RETURN_IF_ERROR(noise_source_.Restore("sac.random", state));
  if (!settings_.draws_critics() && settings_.policy_delay == 1) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(RestoreRandom("sac.subsets", state, random_));
  const absl::StatusOr<int64_t> updates = state.ReadScalar<int64_t>("sac.updates");
  if (!updates.ok()) return absl::DataLossError(updates.status().message());
  updates_ = *updates;
  return absl::OkStatus();
}

Diagnostics Sac::diagnostics() const {
  const double entropy = entropy_.item<double>();
  return {{"policy_loss", -alpha_.item<double>() * entropy - Mean(policy_value_)},
          {"value_loss", Mean(errors_.losses)},
          {"mean_q", Mean(errors_.values)},
          {"entropy", entropy},
          {"temperature", temperature_.value().item<double>()},
          {"policy_gradient_norm", models_.policy.GradientNorm()},
          {"value_gradient_norm", models_.critics.GradientNorm()}};
}

}  // namespace

DiagnosticNames SacDiagnosticNames() {
  return {"policy_loss",          "value_loss",         "mean_q", "entropy", "temperature",
          "policy_gradient_norm", "value_gradient_norm"};
}

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeSac(
    const SacConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where) {
  if (action.discrete()) return MakeDiscreteSac(config, model, observation, action, random, where);
  return MakeContinuousSac(SacSettings::Of(config, action), model, observation, action, random,
                           where);
}

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeContinuousSac(
    const SacSettings& settings, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where) {
  CADRE_ASSIGN_OR_RETURN(
      const ContinuousActorCritic networks,
      MakeContinuousActorCritic(model, /*gaussian=*/true, settings.critics, observation, action));
  return std::make_unique<Sac>(settings, networks, random, where);
}

}  // namespace cadre
