#include "learner/algorithms/policy_gradient/impala.h"

#include <algorithm>
#include <utility>

#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/policy_gradient/segment_pass.h"
#include "learner/algorithms/targets/advantages.h"
#include "learner/algorithms/targets/importance_weights.h"
#include "learner/algorithms/targets/vtrace.h"

namespace cadre {
namespace {

class Impala final : public GradientAlgorithm {
 public:
  Impala(const ImpalaConfig& config, std::unique_ptr<ActorCritic> model)
      : config_(config), model_(std::move(model)), pass_(model_.get()) {}

  ActorCritic& model() override { return *model_; }
  DiagnosticNames diagnostic_names() const override {
    Diagnostics none;
    Report(ActorCriticDiagnostics(), 0, none);
    Report(WeightSummary(), none);
    return NamesOf(none);
  }

  // The loss of section 4.2, means instead of sums:
  //   -rho_t (r_t + gamma v_{t+1} - V(s_t)) log pi(a_t|s_t)  -  c_entropy H(pi(.|s_t))
  //   +  c_value (V(s_t) - v_t)^2
  absl::StatusOr<bool> ComputeGradient(const OnPolicyBatch& batch, double /*progress*/,
                                       Diagnostics& diagnostics) override {
    Enter(UpdatePart::kForward);
    pass_.Forward(batch);
    Enter(UpdatePart::kPrepare);
    const WeightSummary summary = ComputeTargets(batch);
    Enter(UpdatePart::kBackward);
    const torch::Device device = batch.observations.device();
    const ActorCriticDiagnostics loss = pass_.Backward(
        {.actions = batch.actions,
         .advantages = advantages_.to(device),
         .returns = targets_.to(device),
         .weights = weights_.to(device)},
        {.value = config_.value_coefficient(), .entropy = config_.entropy_coefficient()});
    Report(loss, explained_variance_, diagnostics);
    Report(summary, diagnostics);
    return true;
  }

 private:
  WeightSummary ComputeTargets(const OnPolicyBatch& batch) {
    const int64_t steps = batch.steps();
    Reserve(targets_, {steps});
    Reserve(advantages_, {steps});
    Reserve(weights_, {steps});
    absl::Span<const float> ratios = pass_.Ratios();
    const WeightSummary summary = Summarize(ratios, config_.rho_bar());
    VtraceCoefficients coefficients{.gamma = static_cast<float>(config_.gamma()),
                                    .rho_bar = static_cast<float>(config_.rho_bar()),
                                    .c_bar = static_cast<float>(config_.c_bar()),
                                    .lambda = static_cast<float>(config_.lambda())};
    if (!config_.correction()) {
      if (!ones_.defined() || ones_.numel() != steps) ones_ = torch::ones({steps});
      ratios = Flat(ones_);
      coefficients.rho_bar = coefficients.c_bar = 1;
    }
    const torch::Tensor rewards = batch.rewards.cpu();
    Vtrace(Flat(rewards), pass_.values(), ratios, batch.segments, coefficients,
           {.values = Flat(targets_), .advantages = Flat(advantages_), .weights = Flat(weights_)});
    explained_variance_ = ExplainedVariance(pass_.step_values(), Flat(targets_));
    return summary;
  }

  const ImpalaConfig config_;
  const std::unique_ptr<ActorCritic> model_;
  SegmentPass pass_;
  // Of the current batch, kept to be allocated once; on the CPU.
  torch::Tensor targets_, advantages_, weights_;  // [N]
  torch::Tensor ones_;                            // [N]; without correction only.
  double explained_variance_ = 0;
};

}  // namespace

std::unique_ptr<GradientAlgorithm> MakeImpala(const ImpalaConfig& config,
                                              std::unique_ptr<ActorCritic> model) {
  return std::make_unique<Impala>(config, std::move(model));
}

}  // namespace cadre
