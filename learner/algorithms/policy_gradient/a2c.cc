#include "learner/algorithms/policy_gradient/a2c.h"

#include <utility>

#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/policy_gradient/batch_sequences.h"
#include "learner/algorithms/targets/advantages.h"
#include "policy/networks/bounded_parameters.h"

namespace cadre {
namespace {

class A2cGradient final : public GradientAlgorithm {
 public:
  A2cGradient(const A2cOptions& options, std::unique_ptr<ActorCritic> model)
      : options_(options), model_(std::move(model)) {}

  ActorCritic& model() override { return *model_; }
  DiagnosticNames diagnostic_names() const override {
    Diagnostics none;
    Report(ActorCriticDiagnostics(), 0, none);
    return NamesOf(none);
  }

  absl::StatusOr<bool> ComputeGradient(const OnPolicyBatch& batch, double /*progress*/,
                                       Diagnostics& diagnostics) override {
    Enter(UpdatePart::kPrepare);
    CADRE_RETURN_IF_ERROR(EstimateAdvantages(batch));
    observations_ = ObservationsOfSteps(batch);
    const torch::Device device = batch.observations.device();
    const ActorCriticTargets targets{
        batch.actions, advantages_.to(device), returns_.to(device), {}};
    Enter(UpdatePart::kForward);
    const Heads heads = model_->Forward(observations_);
    Enter(UpdatePart::kLoss);
    ComputeActorCriticGradient(heads, targets, options_.coefficients, head_gradient_);
    Report(head_gradient_.diagnostics, explained_variance_, diagnostics);
    Enter(UpdatePart::kBackward);
    model_->Backward(head_gradient_.gradient);
    if (options_.stepped_elsewhere)
      StopAtBounds(model_->network().network, model_->parameters(), model_->gradient());
    return true;
  }

 private:
  absl::Status EstimateAdvantages(const OnPolicyBatch& batch) {
    Reserve(advantages_, {batch.steps()});
    Reserve(returns_, {batch.steps()});
    const torch::Tensor values = model_->Values(batch.observations).cpu();  // [N + S]
    const torch::Tensor rewards = batch.rewards.cpu();
    GeneralizedAdvantage(
        Flat(rewards), Flat(values), batch.segments, static_cast<float>(options_.gamma),
        static_cast<float>(options_.gae_lambda), Flat(advantages_), Flat(returns_));
    explained_variance_ = ExplainedVarianceOf(Flat(advantages_), Flat(returns_));
    if (!options_.normalize_advantages) return absl::OkStatus();
    return NormalizeAdvantages(collective(), Flat(advantages_));
  }

  // The values are what the returns are without the advantages.
  double ExplainedVarianceOf(absl::Span<const float> advantages, absl::Span<const float> returns) {
    step_values_.resize(returns.size());
    for (size_t i = 0; i < returns.size(); ++i) step_values_[i] = returns[i] - advantages[i];
    return ExplainedVariance(step_values_, returns);
  }

  const A2cOptions options_;
  const std::unique_ptr<ActorCritic> model_;

  // Of the current batch; kept to be allocated once, and for the model's backward pass.
  ObservationBatch observations_;       // N rows
  torch::Tensor advantages_, returns_;  // [N], on the CPU
  std::vector<float> step_values_;      // [N]
  double explained_variance_ = 0;
  ActorCriticHeadGradient head_gradient_;
};

}  // namespace

A2cOptions A2cOptionsOf(const A2cConfig& config) {
  return {.gamma = config.gamma(),
          .gae_lambda = config.gae_lambda(),
          .coefficients = {.value = config.value_coefficient(),
                           .entropy = config.entropy_coefficient()},
          .normalize_advantages = config.normalize_advantages()};
}

A2cOptions A2cOptionsOf(const A3cConfig& config) {
  return {.gamma = config.gamma(),
          .gae_lambda = 1,
          .coefficients = {.value = config.value_coefficient(),
                           .entropy = config.entropy_coefficient()},
          .normalize_advantages = false,
          .stepped_elsewhere = true};
}

std::unique_ptr<GradientAlgorithm> MakeA2cGradient(const A2cOptions& options,
                                                   std::unique_ptr<ActorCritic> model) {
  return std::make_unique<A2cGradient>(options, std::move(model));
}

}  // namespace cadre
