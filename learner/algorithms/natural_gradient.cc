#include "learner/algorithms/natural_gradient.h"

#include <cmath>
#include <utility>

#include "learner/algorithms/advantages.h"
#include "learner/algorithms/conjugate_gradient.h"
#include "learner/algorithms/fisher_vector.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {

NaturalGradient::NaturalGradient(const NaturalGradientOptions& options,
                                 std::unique_ptr<ActorCritic> model, Random random)
    : options_(options),
      model_(std::move(model)),
      value_fit_(options.value, model_->network(), model_->parameters().device(), random) {}

void NaturalGradient::Begin(const OnPolicyBatch& batch) {
  torch::NoGradGuard no_graph;
  const torch::Tensor values = model_->Values(batch.observations).cpu().clone();  // [N + S]
  const torch::Tensor rewards = batch.rewards.cpu();
  torch::Tensor advantages = torch::empty({batch.steps()});
  returns_ = torch::empty({batch.steps()});
  GeneralizedAdvantage(Flat(rewards), Flat(values), batch.segments,
                       static_cast<float>(options_.gamma), static_cast<float>(options_.gae_lambda),
                       Flat(advantages), Flat(returns_));
  if (batch.steps() > 1) advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8);
  values_ = values.index_select(0, batch.observation_rows.cpu());

  const torch::Device device = batch.observations.device();
  observations_ = batch.observations.index_select(0, batch.observation_rows);
  steps_ = {batch.actions, batch.log_probs, advantages.to(device)};
  old_parameters_ = model_->parameters().clone();
}

NaturalGradient::Direction NaturalGradient::FindDirection() {
  const Heads heads = model_->Forward(observations_);
  old_heads_ = InDouble(heads);
  old_surrogate_ = ComputeSurrogate(old_heads_, steps_, options_.entropy_coefficient);
  Heads head_gradient = SurrogateGradient(heads, steps_, options_.entropy_coefficient);
  head_gradient.value = torch::zeros_like(heads.value);
  model_->Backward(std::move(head_gradient));
  const torch::Tensor g = model_->gradient().clone();

  const FisherVectorProduct fisher(model_->network(), old_parameters_, observations_);
  const double damping = options_.conjugate_gradient.damping();
  ConjugateGradient solution = SolveByConjugateGradient(
      [&](const torch::Tensor& v) { return fisher(v).add_(v, damping); }, g,
      options_.conjugate_gradient.iterations(), options_.conjugate_gradient.tolerance());

  Direction direction{solution.x, 0, solution.squared_residual};
  const double curvature = solution.x.dot(g - solution.residual).item<double>();  // x^T A x
  if (curvature > 0) direction.scale = std::sqrt(2 * options_.max_kl / curvature);
  return direction;
}

NaturalGradient::Outcome NaturalGradient::MoveTo(const Direction& direction, double scale) {
  torch::NoGradGuard no_graph;
  model_->parameters().copy_(old_parameters_).add_(direction.x, scale);
  model_->ParametersChanged();
  const Heads heads = InDouble(model_->Forward(observations_));
  const Surrogate surrogate = ComputeSurrogate(heads, steps_, options_.entropy_coefficient);
  return {MeanKl(old_heads_, heads).item<double>(),
          (surrogate.total - old_surrogate_.total).item<double>(),
          surrogate.entropy.item<double>()};
}

NaturalGradient::Outcome NaturalGradient::MoveBack() {
  model_->parameters().copy_(old_parameters_);
  model_->ParametersChanged();
  return {0, 0, old_surrogate_.entropy.item<double>()};
}

void NaturalGradient::FitValue(Diagnostics& diagnostics) {
  const double loss =
      value_fit_.Fit(model_->parameters(), observations_, returns_.to(observations_.device()));
  model_->ParametersChanged();
  diagnostics.emplace_back("value_loss", loss);
  diagnostics.emplace_back("explained_variance", ExplainedVariance(Flat(values_), Flat(returns_)));
}

}  // namespace cadre
