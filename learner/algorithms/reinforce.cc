#include "learner/algorithms/reinforce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/actor_critic_loss.h"
#include "learner/algorithms/advantages.h"
#include "learner/algorithms/collective_sums.h"
#include "learner/algorithms/episode_assembler.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

class ReinforceGradient final : public GradientAlgorithm {
 public:
  ReinforceGradient(const ReinforceConfig& config, std::unique_ptr<ActorCritic> model)
      : config_(config), model_(std::move(model)) {}

  ActorCritic& model() override { return *model_; }

  absl::StatusOr<bool> ComputeGradient(const OnPolicyBatch& batch, double progress,
                                       Diagnostics& diagnostics) override;

  DiagnosticNames diagnostic_names() const override {
    Diagnostics none;
    Report(none);
    return NamesOf(none);
  }

  int64_t steps_learned(const OnPolicyBatch& /*batch*/) const override { return episodes_.steps(); }

  void Save(TensorMap& state) const override { assembler_.Save(state); }
  absl::Status Restore(const TensorMap& state) override { return assembler_.Restore(state); }

 private:
  bool learns_value() const { return config_.baseline() == ReinforceConfig::VALUE; }
  // Before the forward pass, whose heads another call would take away.
  void ComputeReturns();
  absl::Status ComputeAdvantages(const Heads& heads);
  void Report(Diagnostics& diagnostics) const;

  const ReinforceConfig config_;
  const std::unique_ptr<ActorCritic> model_;
  EpisodeAssembler assembler_;

  // Of the current batch.
  EpisodeBatch episodes_;
  torch::Tensor returns_, advantages_;  // [N], on the CPU
  std::vector<float> baseline_;         // [N]
  ActorCriticHeadGradient head_gradient_;
};

absl::StatusOr<bool> ReinforceGradient::ComputeGradient(const OnPolicyBatch& batch,
                                                        double /*progress*/,
                                                        Diagnostics& diagnostics) {
  Enter(UpdatePart::kPrepare);
  episodes_ = assembler_.Add(batch);
  Reserve(returns_, {episodes_.steps()});
  Heads heads;
  if (!episodes_.empty()) {
    ComputeReturns();
    Enter(UpdatePart::kForward);
    heads = model_->Forward(episodes_.observations);
    Enter(UpdatePart::kLoss);
  }
  CADRE_RETURN_IF_ERROR(ComputeAdvantages(heads));
  if (!episodes_.empty()) {
    const torch::Device device = heads.policy.device();
    const ActorCriticTargets targets{episodes_.actions,
                                     advantages_.to(device),
                                     learns_value() ? returns_.to(device) : torch::Tensor(),
                                     {}};
    ComputeActorCriticGradient(
        heads, targets,
        {.value = config_.value_coefficient(), .entropy = config_.entropy_coefficient()},
        head_gradient_);
    Enter(UpdatePart::kBackward);
    model_->Backward(head_gradient_.gradient);
  }
  Report(diagnostics);
  return !episodes_.empty();
}

void ReinforceGradient::ComputeReturns() {
  const int64_t count = static_cast<int64_t>(episodes_.episodes.size());
  const torch::Tensor last_values =
      learns_value() ? model_->Values(episodes_.last_observations).cpu() : torch::zeros({count});
  const torch::Tensor rewards = episodes_.rewards.cpu();
  RewardToGo(Flat(rewards), Flat(last_values), episodes_.episodes,
             static_cast<float>(config_.gamma()), Flat(returns_));
}

absl::Status ReinforceGradient::ComputeAdvantages(const Heads& heads) {
  const absl::Span<const float> returns = Flat(returns_);
  baseline_.assign(returns.size(), 0.0f);
  const absl::Span<float> baseline = absl::MakeSpan(baseline_);
  switch (config_.baseline()) {
    case ReinforceConfig::NONE:
      break;
    case ReinforceConfig::CONSTANT_BASELINE:
      CADRE_RETURN_IF_ERROR(ConstantBaseline(collective(), returns, baseline));
      break;
    case ReinforceConfig::TIME_DEPENDENT:
      CADRE_RETURN_IF_ERROR(
          TimeDependentBaseline(collective(), returns, episodes_.episodes, baseline));
      break;
    case ReinforceConfig::VALUE: {
      if (episodes_.empty()) break;
      const torch::Tensor values = heads.value.cpu();
      std::copy_n(Flat(values).begin(), baseline.size(), baseline.begin());
      break;
    }
  }
  Reserve(advantages_, {episodes_.steps()});
  const absl::Span<float> advantages = Flat(advantages_);
  for (size_t i = 0; i < returns.size(); ++i) advantages[i] = returns[i] - baseline[i];
  if (!config_.normalize_advantages()) return absl::OkStatus();
  return NormalizeAdvantages(collective(), advantages);
}

// The same names whether there were episodes or not: they are columns.
void ReinforceGradient::Report(Diagnostics& diagnostics) const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const bool learned = !episodes_.empty();
  const ActorCriticDiagnostics& loss = head_gradient_.diagnostics;
  diagnostics.emplace_back("policy_loss", learned ? loss.policy_loss : none);
  if (learns_value()) diagnostics.emplace_back("value_loss", learned ? loss.value_loss : none);
  diagnostics.emplace_back("entropy", learned ? loss.entropy : none);
  diagnostics.emplace_back("explained_variance",
                           learned ? ExplainedVariance(baseline_, Flat(returns_)) : none);
  diagnostics.emplace_back("episodes_learned", static_cast<double>(episodes_.episodes.size()));
  diagnostics.emplace_back("waiting_steps", static_cast<double>(assembler_.waiting_steps()));
  diagnostics.emplace_back("dropped_steps", static_cast<double>(assembler_.dropped_steps()));
}

}  // namespace

std::unique_ptr<GradientAlgorithm> MakeReinforceGradient(const ReinforceConfig& config,
                                                         std::unique_ptr<ActorCritic> model) {
  return std::make_unique<ReinforceGradient>(config, std::move(model));
}

absl::Status ConstantBaseline(Collective* collective, absl::Span<const float> returns,
                              absl::Span<float> baseline) {
  double sums[] = {std::accumulate(returns.begin(), returns.end(), 0.0),
                   static_cast<double>(returns.size())};
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(sums)));
  std::fill(baseline.begin(), baseline.end(), static_cast<float>(sums[0] / sums[1]));
  return absl::OkStatus();
}

absl::Status TimeDependentBaseline(Collective* collective, absl::Span<const float> returns,
                                   absl::Span<const SegmentBounds> episodes,
                                   absl::Span<float> baseline) {
  int64_t longest = 0;
  for (const SegmentBounds& episode : episodes) longest = std::max(longest, episode.length);
  CADRE_ASSIGN_OR_RETURN(const int64_t least, LeastOverLearners(collective, -longest));
  longest = -least;
  std::vector<double> sums(2 * longest);  // Of the returns of step t, then of the episodes.
  for (const SegmentBounds& episode : episodes) {
    for (int64_t t = 0; t < episode.length; ++t) {
      sums[t] += returns[episode.first_step + t];
      ++sums[longest + t];
    }
  }
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(sums)));
  for (const SegmentBounds& episode : episodes)
    for (int64_t t = 0; t < episode.length; ++t)
      baseline[episode.first_step + t] = static_cast<float>(sums[t] / sums[longest + t]);
  return absl::OkStatus();
}

}  // namespace cadre
