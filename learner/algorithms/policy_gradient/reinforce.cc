#include "learner/algorithms/policy_gradient/reinforce.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/collective_sums.h"
#include "learner/algorithms/policy_gradient/actor_critic_loss.h"
#include "learner/algorithms/policy_gradient/segment_pass.h"
#include "learner/algorithms/targets/advantages.h"
#include "learner/algorithms/targets/importance_weights.h"

namespace cadre {
namespace {

class ReinforceGradient final : public GradientAlgorithm {
 public:
  ReinforceGradient(const ReinforceConfig& config, std::unique_ptr<ActorCritic> model)
      : config_(config), model_(std::move(model)), pass_(model_.get()) {}

  ActorCritic& model() override { return *model_; }
  bool learns_whole_episodes() const override { return true; }

  absl::StatusOr<bool> ComputeGradient(const OnPolicyBatch& batch, double progress,
                                       Diagnostics& diagnostics) override;

  DiagnosticNames diagnostic_names() const override {
    Diagnostics none;
    Report({}, 0, none);
    return NamesOf(none);
  }

 private:
  void ComputeReturns(const OnPolicyBatch& batch);
  absl::Status ComputeAdvantages(const OnPolicyBatch& batch);
  ActorCriticDiagnostics Learn(const OnPolicyBatch& batch);
  void Report(const ActorCriticDiagnostics& loss, size_t episodes, Diagnostics& diagnostics) const;

  const ReinforceConfig config_;
  const std::unique_ptr<ActorCritic> model_;
  SegmentPass pass_;

  // The current batch, on the CPU.
  torch::Tensor returns_, advantages_, weights_;  // [N]
  std::vector<float> baseline_;                   // [N]
  WeightSummary weight_summary_;
};

absl::StatusOr<bool> ReinforceGradient::ComputeGradient(const OnPolicyBatch& batch,
                                                        double /*progress*/,
                                                        Diagnostics& diagnostics) {
  const bool any = !batch.segments.empty();
  Enter(UpdatePart::kForward);
  if (any) pass_.Forward(batch);
  Enter(UpdatePart::kPrepare);
  ComputeReturns(batch);
  CADRE_RETURN_IF_ERROR(ComputeAdvantages(batch));  // Asks the other learners, too.
  ActorCriticDiagnostics loss;
  if (any) loss = Learn(batch);
  Report(loss, batch.segments.size(), diagnostics);
  return any;
}

void ReinforceGradient::ComputeReturns(const OnPolicyBatch& batch) {
  Reserve(returns_, {batch.steps()});
  std::vector<float> last_values(batch.segments.size(), 0.0f);
  for (size_t e = 0; e < last_values.size(); ++e) {
    const SegmentBounds& episode = batch.segments[e];
    last_values[e] = pass_.values()[episode.first_step + static_cast<int64_t>(e) + episode.length];
  }
  const torch::Tensor rewards = batch.rewards.cpu();
  RewardToGo(Flat(rewards), last_values, batch.segments, static_cast<float>(config_.gamma()),
             Flat(returns_));
}

absl::Status ReinforceGradient::ComputeAdvantages(const OnPolicyBatch& batch) {
  const absl::Span<const float> returns = Flat(returns_);
  baseline_.assign(returns.size(), 0.0f);
  const absl::Span<float> baseline = absl::MakeSpan(baseline_);
  switch (config_.baseline()) {
    case ReinforceConfig::NONE:
      break;
    case ReinforceConfig::CONSTANT_BASELINE:
      CADRE_RETURN_IF_ERROR(ConstantBaseline(collective(), returns, batch.segments, baseline));
      break;
    case ReinforceConfig::TIME_DEPENDENT:
      CADRE_RETURN_IF_ERROR(TimeDependentBaseline(collective(), returns, batch.segments, baseline));
      break;
    case ReinforceConfig::VALUE:
      if (!returns.empty())
        std::copy_n(pass_.step_values().begin(), baseline.size(), baseline.begin());
      break;
  }
  Reserve(advantages_, {batch.steps()});
  const absl::Span<float> advantages = Flat(advantages_);
  for (size_t i = 0; i < returns.size(); ++i) advantages[i] = returns[i] - baseline[i];
  if (!config_.normalize_advantages()) return absl::OkStatus();
  return NormalizeAdvantages(collective(), advantages);
}

ActorCriticDiagnostics ReinforceGradient::Learn(const OnPolicyBatch& batch) {
  const absl::Span<const float> ratios = pass_.Ratios();
  weight_summary_ = Summarize(ratios, kMaxReinforceWeight);
  Reserve(weights_, {batch.steps()});
  std::transform(ratios.begin(), ratios.end(), Flat(weights_).begin(),
                 [](float ratio) { return std::min(ratio, kMaxReinforceWeight); });
  Enter(UpdatePart::kBackward);
  const torch::Device device = batch.observations.device();
  return pass_.Backward(
      {.actions = batch.actions,
       .advantages = advantages_.to(device),
       .returns = returns_.to(device),
       .weights = weights_.to(device)},
      {.value = config_.value_coefficient(), .entropy = config_.entropy_coefficient()});
}

// The same names whether there were episodes or not: they are columns.
void ReinforceGradient::Report(const ActorCriticDiagnostics& loss, size_t episodes,
                               Diagnostics& diagnostics) const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const bool learned = episodes > 0;
  diagnostics.emplace_back("policy_loss", learned ? loss.policy_loss : none);
  diagnostics.emplace_back("value_loss", learned ? loss.value_loss : none);
  diagnostics.emplace_back("entropy", learned ? loss.entropy : none);
  diagnostics.emplace_back("explained_variance",
                           learned ? ExplainedVariance(baseline_, Flat(returns_)) : none);
  cadre::Report(learned ? weight_summary_ : WeightSummary{.mean = none, .clipped_share = none},
                diagnostics);
  diagnostics.emplace_back("episodes_learned", static_cast<double>(episodes));
}

}  // namespace

std::unique_ptr<GradientAlgorithm> MakeReinforceGradient(const ReinforceConfig& config,
                                                         std::unique_ptr<ActorCritic> model) {
  return std::make_unique<ReinforceGradient>(config, std::move(model));
}

absl::Status ConstantBaseline(Collective* collective, absl::Span<const float> returns,
                              absl::Span<const SegmentBounds> episodes,
                              absl::Span<float> baseline) {
  double sums[] = {std::accumulate(returns.begin(), returns.end(), 0.0),
                   static_cast<double>(returns.size())};
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(sums)));
  for (const SegmentBounds& episode : episodes) {
    const auto own = returns.subspan(episode.first_step, episode.length);
    const double sum = sums[0] - std::accumulate(own.begin(), own.end(), 0.0);
    const double count = sums[1] - static_cast<double>(own.size());
    std::fill_n(baseline.begin() + episode.first_step, episode.length,
                count > 0 ? static_cast<float>(sum / count) : 0.0f);
  }
  return absl::OkStatus();
}

absl::Status TimeDependentBaseline(Collective* collective, absl::Span<const float> returns,
                                   absl::Span<const SegmentBounds> episodes,
                                   absl::Span<float> baseline) {
  CADRE_RETURN_IF_ERROR(ConstantBaseline(collective, returns, episodes, baseline));
  int64_t longest = 0;
  for (const SegmentBounds& episode : episodes) longest = std::max(longest, episode.length);
  CADRE_ASSIGN_OR_RETURN(longest, MostOverLearners(collective, longest));
  std::vector<double> sums(2 * longest);  // Of the returns of step t, then of the episodes.
  for (const SegmentBounds& episode : episodes) {
    for (int64_t t = 0; t < episode.length; ++t) {
      sums[t] += returns[episode.first_step + t];
      ++sums[longest + t];
    }
  }
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(sums)));
  for (const SegmentBounds& episode : episodes) {
    for (int64_t t = 0; t < episode.length; ++t) {
      const double others = sums[longest + t] - 1;
      const int64_t step = episode.first_step + t;
      if (others > 0) baseline[step] = static_cast<float>((sums[t] - returns[step]) / others);
    }
  }
  return absl::OkStatus();
}

}  // namespace cadre
