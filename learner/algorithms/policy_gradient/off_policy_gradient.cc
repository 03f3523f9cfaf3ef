#include "learner/algorithms/policy_gradient/off_policy_gradient.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/policy_gradient/segment_pass.h"
#include "learner/algorithms/targets/advantages.h"
#include "learner/algorithms/targets/importance_weights.h"

namespace cadre {
namespace {

class OffPolicyGradient final : public GradientAlgorithm {
 public:
  OffPolicyGradient(const OffPolicyGradientConfig& config, std::unique_ptr<ActorCritic> model)
      : config_(config),
        max_weight_(config.max_weight() > 0 ? static_cast<float>(config.max_weight())
                                            : std::numeric_limits<float>::infinity()),
        model_(std::move(model)),
        pass_(model_.get()) {}

  ActorCritic& model() override { return *model_; }
  DiagnosticNames diagnostic_names() const override {
    Diagnostics none;
    Report(ActorCriticDiagnostics(), 0, none);
    Report(WeightSummary(), none);
    return NamesOf(none);
  }

  // -w_t A_t log pi(a_t|s_t) - c_entropy H(pi(.|s_t)) + c_value (V(s_t) - R_t)^2, means;
  // w_t = min(max_weight, pi/mu).
  absl::StatusOr<bool> ComputeGradient(const OnPolicyBatch& batch, double /*progress*/,
                                       Diagnostics& diagnostics) override {
    Enter(UpdatePart::kForward);
    pass_.Forward(batch);
    Enter(UpdatePart::kPrepare);
    Reserve(advantages_, {batch.steps()});
    Reserve(returns_, {batch.steps()});
    Reserve(weights_, {batch.steps()});
    const torch::Tensor rewards = batch.rewards.cpu();
    GeneralizedAdvantage(
        Flat(rewards), pass_.values(), batch.segments, static_cast<float>(config_.gamma()),
        static_cast<float>(config_.gae_lambda()), Flat(advantages_), Flat(returns_));
    const absl::Span<const float> ratios = pass_.Ratios();
    std::transform(ratios.begin(), ratios.end(), Flat(weights_).begin(),
                   [this](float ratio) { return std::min(ratio, max_weight_); });
    const WeightSummary summary = Summarize(ratios, max_weight_);
    const double explained_variance = ExplainedVariance(pass_.step_values(), Flat(returns_));

    Enter(UpdatePart::kBackward);
    const torch::Device device = batch.observations.device();
    const ActorCriticDiagnostics loss = pass_.Backward(
        {.actions = batch.actions,
         .advantages = advantages_.to(device),
         .returns = returns_.to(device),
         .weights = weights_.to(device)},
        {.value = config_.value_coefficient(), .entropy = config_.entropy_coefficient()});
    Report(loss, explained_variance, diagnostics);
    Report(summary, diagnostics);
    return true;
  }

 private:
  const OffPolicyGradientConfig config_;
  const float max_weight_;
  const std::unique_ptr<ActorCritic> model_;
  SegmentPass pass_;
  // Of the current batch, kept to be allocated once; on the CPU.
  torch::Tensor advantages_, returns_, weights_;  // [N]
};

}  // namespace

std::unique_ptr<GradientAlgorithm> MakeOffPolicyGradient(const OffPolicyGradientConfig& config,
                                                         std::unique_ptr<ActorCritic> model) {
  return std::make_unique<OffPolicyGradient>(config, std::move(model));
}

}  // namespace cadre
