#include "learner/algorithms/trust_region/natural_gradient.h"

#include <cmath>
#include <utility>

#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/collective_sums.h"
#include "learner/algorithms/targets/advantages.h"
#include "learner/algorithms/trust_region/conjugate_gradient.h"
#include "learner/algorithms/trust_region/fisher_vector.h"

namespace cadre {

NaturalGradient::NaturalGradient(const NaturalGradientOptions& options,
                                 std::unique_ptr<ActorCritic> model, Random random,
                                 const DeviceOptions& where)
    : options_(options),
      model_(std::move(model)),
      value_fit_(options.value, *model_, where, random) {}

absl::Status NaturalGradient::AverageOverSteps(torch::Tensor means) const {
  if (collective_ == nullptr) return absl::OkStatus();
  means.mul_(share_);
  return collective_->Sum(means);
}

absl::Status NaturalGradient::AverageOverSteps(absl::Span<double> means) const {
  for (double& mean : means) mean *= share_;
  return SumOverLearners(collective_, means);
}

absl::Status NaturalGradient::Begin(const OnPolicyBatch& batch, Collective* collective) {
  torch::NoGradGuard no_graph;
  collective_ = collective;
  const double steps = static_cast<double>(batch.steps());
  double all_steps = steps;
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, absl::MakeSpan(&all_steps, 1)));
  share_ = steps / all_steps;

  const torch::Tensor values = model_->Values(batch.observations).cpu().clone();  // [N + S]
  const torch::Tensor rewards = batch.rewards.cpu();
  torch::Tensor advantages = torch::empty({batch.steps()});
  returns_ = torch::empty({batch.steps()});
  GeneralizedAdvantage(Flat(rewards), Flat(values), batch.segments,
                       static_cast<float>(options_.gamma), static_cast<float>(options_.gae_lambda),
                       Flat(advantages), Flat(returns_));
  CADRE_RETURN_IF_ERROR(NormalizeAdvantages(collective, Flat(advantages)));
  values_ = values.index_select(0, batch.observation_rows.cpu());

  const torch::Device device = batch.observations.device();
  observations_ = batch.observations.Select(batch.observation_rows);
  steps_ = {batch.actions, batch.log_probs, advantages.to(device)};
  old_parameters_ = model_->parameters().clone();
  return absl::OkStatus();
}

absl::StatusOr<NaturalGradient::Direction> NaturalGradient::FindDirection() {
  const Heads heads = model_->Forward(observations_);
  old_heads_ = InDouble(heads);
  const Surrogate surrogate = ComputeSurrogate(old_heads_, steps_, options_.entropy_coefficient);
  double means[] = {surrogate.total.item<double>(), surrogate.entropy.item<double>()};
  CADRE_RETURN_IF_ERROR(AverageOverSteps(absl::MakeSpan(means)));
  old_surrogate_ = means[0];
  old_entropy_ = means[1];

  model_->Backward(SurrogateGradient(heads, steps_, options_.entropy_coefficient));
  const torch::Tensor g = model_->gradient().clone();
  CADRE_RETURN_IF_ERROR(AverageOverSteps(g));

  // The Fisher matrix of all steps is the mean of those of the learners' shares.
  const FisherVectorProduct fisher(model_->network(), old_parameters_, observations_);
  const double damping = options_.conjugate_gradient.damping();
  const auto product = [&](const torch::Tensor& v) -> absl::StatusOr<torch::Tensor> {
    torch::Tensor fv = fisher(v).contiguous();
    CADRE_RETURN_IF_ERROR(AverageOverSteps(fv));
    return fv.add_(v, damping);
  };
  CADRE_ASSIGN_OR_RETURN(
      const ConjugateGradient solution,
      SolveByConjugateGradient(product, g, options_.conjugate_gradient.iterations(),
                               options_.conjugate_gradient.tolerance(),
                               /*every_product=*/collective_ != nullptr));

  Direction direction{solution.x, 0, solution.squared_residual};
  const double curvature = solution.x.dot(g - solution.residual).item<double>();  // x^T A x
  if (curvature > 0) direction.scale = std::sqrt(2 * options_.max_kl / curvature);
  CADRE_RETURN_IF_ERROR(AgreeOn(direction));
  return direction;
}

absl::Status NaturalGradient::AgreeOn(Direction& direction) {
  if (collective_ == nullptr) return absl::OkStatus();
  double numbers[] = {direction.scale, direction.squared_residual};
  CADRE_RETURN_IF_ERROR(
      AverageGradient(*collective_, direction.x, absl::MakeSpan(numbers), direction_buffer_));
  direction.scale = numbers[0];
  direction.squared_residual = numbers[1];
  return absl::OkStatus();
}

absl::StatusOr<NaturalGradient::Outcome> NaturalGradient::MoveTo(const Direction& direction,
                                                                 double scale) {
  torch::NoGradGuard no_graph;
  model_->parameters().copy_(old_parameters_).add_(direction.x, scale);
  model_->ParametersChanged();
  const Heads heads = InDouble(model_->Forward(observations_));
  const Surrogate surrogate = ComputeSurrogate(heads, steps_, options_.entropy_coefficient);
  double means[] = {MeanKl(old_heads_, heads).item<double>(), surrogate.total.item<double>(),
                    surrogate.entropy.item<double>()};
  CADRE_RETURN_IF_ERROR(AverageOverSteps(absl::MakeSpan(means)));
  const auto [kl, total, entropy] = means;
  return Outcome{kl, total - old_surrogate_, entropy};
}

NaturalGradient::Outcome NaturalGradient::MoveBack() {
  model_->parameters().copy_(old_parameters_);
  model_->ParametersChanged();
  return {0, 0, old_entropy_};
}

absl::Status NaturalGradient::FitValue(double progress, Diagnostics& diagnostics) {
  CADRE_ASSIGN_OR_RETURN(
      const double loss,
      value_fit_.Fit(observations_, returns_.to(observations_.device()), progress, collective_));
  double explained = ExplainedVariance(Flat(values_), Flat(returns_));
  CADRE_RETURN_IF_ERROR(AverageOverLearners(collective_, absl::MakeSpan(&explained, 1)));
  diagnostics.emplace_back("value_loss", loss);
  diagnostics.emplace_back("explained_variance", explained);
  return absl::OkStatus();
}

}  // namespace cadre
