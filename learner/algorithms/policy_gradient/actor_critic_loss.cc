#include "learner/algorithms/policy_gradient/actor_critic_loss.h"

#include <vector>

#include "common/check.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/head_gradient.h"
#include "learner/algorithms/optimization/loss_gradient.h"
#include "policy/distributions.h"
#include "policy/torch_distributions.h"

namespace cadre {
namespace {

bool Discrete(const Heads& heads) { return !heads.log_std.defined(); }

void GradientByAutograd(const Heads& heads, const ActorCriticTargets& targets,
                        const ActorCriticCoefficients& coefficients, ActorCriticHeadGradient& out) {
  std::vector<torch::Tensor> inputs{heads.policy, heads.value};
  if (!Discrete(heads)) inputs.push_back(heads.log_std);
  torch::Tensor numbers;
  const auto gradients = LossGradient(inputs, [&](const std::vector<torch::Tensor>& leaves) {
    const ActorCriticLoss loss = ComputeActorCriticLoss(
        {leaves[0], leaves[1], leaves.size() > 2 ? leaves[2] : torch::Tensor(), heads.counts},
        targets, coefficients);
    numbers = torch::stack({loss.policy, loss.value, loss.entropy}).detach();
    return loss.total;
  });
  out.gradient = {gradients[0], gradients[1],
                  gradients.size() > 2 ? gradients[2] : torch::Tensor()};
  numbers = numbers.cpu();  // One transfer for all of them.
  const float* n = numbers.data_ptr<float>();
  out.diagnostics = {n[0], n[1], n[2]};
}

// The policy's share of the gradient and of the sums of the diagnostics. `slope_of` maps
// (step, log p(a)) to d loss / d log p(a) of the step.
template <typename SlopeOf>
double CategoricalGradient(const Heads& heads, const torch::Tensor& actions, double entropy,
                           const SlopeOf& slope_of, torch::Tensor& out) {
  const int64_t steps = heads.policy.size(0), width = heads.policy.size(1);
  const absl::Span<const float> logits = Flat(heads.policy);
  const absl::Span<const int64_t> taken = Flat<int64_t>(actions);
  const absl::Span<float> gradient = Flat(out);
  const std::vector<int64_t> counts = CountsOf(heads);
  std::vector<float> log_probs(width), probs(width);
  double sum = 0;
  for (int64_t i = 0; i < steps; ++i) {
    LogSoftmaxOfEach(counts, RowOf(logits, i, width), absl::MakeSpan(log_probs));
    const auto action = RowOf(taken, i, static_cast<int64_t>(counts.size()));
    const float log_prob = CategoricalLogProb(counts, log_probs, action);
    sum += CategoricalHeadGradient(counts, log_probs, action, slope_of(i, log_prob), entropy,
                                   1.0 / static_cast<double>(steps), absl::MakeSpan(probs),
                                   RowOf(gradient, i, width));
  }
  return sum / static_cast<double>(steps);
}

template <typename SlopeOf>
double GaussianGradient(const Heads& heads, const torch::Tensor& actions, double entropy,
                        const SlopeOf& slope_of, Heads& out) {
  const int64_t steps = heads.policy.size(0), width = heads.policy.size(1);
  const absl::Span<const float> means = Flat(heads.policy), taken = Flat(actions);
  const absl::Span<const float> log_stds = Flat(heads.log_std);
  // One row for all steps, or each its own.
  const bool own = StateDependentDeviation(heads);
  Reserve(out.log_std, heads.log_std.sizes());
  out.log_std.fill_(own ? -entropy / static_cast<double>(steps) : -entropy);
  double sum = 0;
  for (int64_t i = 0; i < steps; ++i) {
    const absl::Span<const float> mean = RowOf(means, i, width), action = RowOf(taken, i, width);
    const absl::Span<const float> log_std = RowOf(log_stds, own ? i : 0, width);
    GaussianHeadGradient(mean, log_std, action, slope_of(i, GaussianLogProb(mean, log_std, action)),
                         1.0 / static_cast<double>(steps), RowOf(Flat(out.policy), i, width),
                         RowOf(Flat(out.log_std), own ? i : 0, width));
    sum += GaussianEntropy(log_std);
  }
  return sum / static_cast<double>(steps);
}

// The value's gradient; returns the mean squared error.
double ValueGradient(const torch::Tensor& values, const torch::Tensor& returns, double coefficient,
                     torch::Tensor& out) {
  if (!returns.defined()) {
    out.zero_();
    return 0;
  }
  const absl::Span<const float> value = Flat(values), target = Flat(returns);
  const absl::Span<float> gradient = Flat(out);
  const double n = static_cast<double>(value.size());
  double squares = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    const double error = static_cast<double>(value[i]) - target[i];
    squares += error * error;
    gradient[i] = static_cast<float>(coefficient * 2 * error / n);
  }
  return squares / n;
}

void GradientInClosedForm(const Heads& heads, const ActorCriticTargets& targets,
                          const ActorCriticCoefficients& coefficients,
                          ActorCriticHeadGradient& out) {
  const int64_t steps = heads.policy.size(0);
  Reserve(out.gradient.policy, heads.policy.sizes());
  Reserve(out.gradient.value, {steps});
  const absl::Span<const float> advantages = Flat(targets.advantages);
  absl::Span<const float> weights;
  if (targets.weights.defined()) weights = Flat(targets.weights);
  double policy_loss = 0;
  const auto slope_of = [&](int64_t i, double log_prob) {
    const double slope = -static_cast<double>(advantages[i]) * (weights.empty() ? 1 : weights[i]);
    policy_loss += slope * log_prob;
    return slope;
  };
  out.diagnostics.entropy =
      Discrete(heads)
          ? CategoricalGradient(heads, targets.actions, coefficients.entropy, slope_of,
                                out.gradient.policy)
          : GaussianGradient(heads, targets.actions, coefficients.entropy, slope_of, out.gradient);
  out.diagnostics.policy_loss = policy_loss / static_cast<double>(steps);
  out.diagnostics.value_loss =
      ValueGradient(heads.value, targets.returns, coefficients.value, out.gradient.value);
}

}  // namespace

void Report(const ActorCriticDiagnostics& loss, double explained_variance,
            Diagnostics& diagnostics) {
  diagnostics.emplace_back("policy_loss", loss.policy_loss);
  diagnostics.emplace_back("value_loss", loss.value_loss);
  diagnostics.emplace_back("entropy", loss.entropy);
  diagnostics.emplace_back("explained_variance", explained_variance);
}

ActorCriticLoss ComputeActorCriticLoss(const Heads& heads, const ActorCriticTargets& targets,
                                       const ActorCriticCoefficients& coefficients) {
  const torch::Tensor log_prob =  // [B]
      Discrete(heads) ? CategoricalLogProb(heads.policy, targets.actions, heads.counts)
                      : GaussianLogProb(heads.policy, heads.log_std, targets.actions);
  torch::Tensor gain = targets.advantages * log_prob;  // [B]
  if (targets.weights.defined()) gain = gain * targets.weights;
  ActorCriticLoss loss;
  loss.policy = -gain.mean();
  loss.value = targets.returns.defined() ? (heads.value - targets.returns).square().mean()
                                         : torch::zeros({}, heads.policy.options());
  loss.entropy = Discrete(heads) ? CategoricalEntropy(heads.policy, heads.counts).mean()
                                 : GaussianEntropy(heads.log_std).mean();
  loss.total = loss.policy - coefficients.entropy * loss.entropy + coefficients.value * loss.value;
  return loss;
}

void ComputeActorCriticGradient(const Heads& heads, const ActorCriticTargets& targets,
                                const ActorCriticCoefficients& coefficients,
                                ActorCriticHeadGradient& out) {
  if (heads.policy.device().is_cpu())
    GradientInClosedForm(heads, targets, coefficients, out);
  else
    GradientByAutograd(heads, targets, coefficients, out);
}

void ActionLogProbs(const Heads& heads, const torch::Tensor& actions, torch::Tensor out) {
  const int64_t steps = heads.policy.size(0), width = heads.policy.size(1);
  const absl::Span<const float> policy = Flat(heads.policy);
  const absl::Span<float> log_probs = Flat(out);
  CADRE_CHECK(out.numel() == steps);
  const std::vector<int64_t> counts = CountsOf(heads);
  std::vector<float> row(width);
  for (int64_t i = 0; i < steps; ++i) {
    if (Discrete(heads)) {
      LogSoftmaxOfEach(counts, RowOf(policy, i, width), absl::MakeSpan(row));
      log_probs[i] = CategoricalLogProb(counts, row,
                                        RowOf(absl::Span<const int64_t>(Flat<int64_t>(actions)), i,
                                              static_cast<int64_t>(counts.size())));
    } else {
      const absl::Span<const float> log_stds = Flat(heads.log_std);
      log_probs[i] = GaussianLogProb(RowOf(policy, i, width),
                                     RowOf(log_stds, StateDependentDeviation(heads) ? i : 0, width),
                                     RowOf(absl::Span<const float>(Flat(actions)), i, width));
    }
  }
}

}  // namespace cadre
