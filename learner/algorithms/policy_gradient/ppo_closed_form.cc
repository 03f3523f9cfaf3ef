// The gradient of the PPO loss with respect to the heads, by hand: that of the surrogate
// through head_gradient.h, and that of the penalty,
//   d KL(old||p) / d logit_j = p_j - old_j
#include <algorithm>
#include <cmath>
#include <vector>

#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/head_gradient.h"
#include "learner/algorithms/policy_gradient/ppo_loss.h"
#include "policy/distributions.h"

namespace cadre::closed_form {
namespace {

// Coefficients as plain numbers.
struct Scalars {
  explicit Scalars(const PpoCoefficients& from)
      : penalised(from.objective == PpoConfig::ADAPTIVE_KL),
        clip(from.clip_range.item<double>()),
        kl_beta(penalised ? from.kl_beta.item<double>() : 0),
        value_clip_range(from.value_clip_range),
        value(from.value),
        entropy(from.entropy) {}

  bool penalised;
  double clip, kl_beta, value_clip_range, value, entropy;
};

// Over the minibatch's steps.
struct Sums {
  double policy_loss = 0, value_loss = 0, entropy = 0, approx_kl = 0, clip_fraction = 0, kl = 0;
};

absl::Span<const float> Row(const torch::Tensor& matrix, int64_t row) {
  const int64_t width = matrix.size(1);
  return {matrix.data_ptr<float>() + row * width, static_cast<size_t>(width)};
}

// Of log deviations: one row for all steps, or each its own.
absl::Span<const float> RowOrAll(const torch::Tensor& log_std, int64_t row) {
  return log_std.dim() == 2 ? Row(log_std, row) : Flat(log_std);
}

// Adds the surrogate's terms for one step to the diagnostics and returns the
// derivative of its loss with respect to log p(a).
double SurrogateDerivative(double log_prob, const PpoMinibatch& batch, int64_t i,
                           const Scalars& coefficients, Sums& sums) {
  const double free = log_prob - batch.log_probs.data_ptr<float>()[i];
  const double log_ratio = std::min<double>(free, kMaxPpoLogRatio);
  const double advantage = batch.advantages.data_ptr<float>()[i];
  const double weight = batch.weights.defined() ? batch.weights.data_ptr<float>()[i] : 1;
  const double ratio = std::exp(log_ratio);
  const double clip = coefficients.clip;
  sums.approx_kl += weight * ((ratio - 1) - log_ratio);
  if (std::abs(ratio - 1) > clip) sums.clip_fraction += weight;
  if (!coefficients.penalised) {
    const double clipped = std::clamp(ratio, 1 - clip, 1 + clip) * advantage;
    sums.policy_loss -= std::min(ratio * advantage, clipped);
    if (clipped < ratio * advantage) return 0;  // The flat branch of the minimum.
  } else {
    sums.policy_loss -= ratio * advantage;
  }
  return free > log_ratio ? 0 : -advantage * ratio;
}

// The value's loss and derivative for one step.
double ValueDerivative(double value, double old_value, double target, double clip_range,
                       Sums& sums) {
  const double error = value - target;
  if (clip_range > 0 && std::abs(value - old_value) > clip_range) {
    const double clipped_error = old_value + std::copysign(clip_range, value - old_value) - target;
    if (clipped_error * clipped_error > error * error) {
      sums.value_loss += clipped_error * clipped_error;
      return 0;  // The flat branch of the maximum.
    }
  }
  sums.value_loss += error * error;
  return 2 * error;
}

// Scratch rows of a categorical policy.
struct CategoricalRows {
  explicit CategoricalRows(const Heads& heads)
      : counts(CountsOf(heads)),
        log_probs(heads.policy.size(1)),
        probs(log_probs.size()),
        old_log_probs(log_probs.size()) {}
  const std::vector<int64_t> counts;
  std::vector<float> log_probs, probs, old_log_probs;
};

void AddCategoricalStep(const Heads& heads, const PpoMinibatch& batch, const Scalars& coefficients,
                        int64_t i, CategoricalRows& rows, absl::Span<float> out, Sums& sums) {
  const double scale = 1.0 / static_cast<double>(heads.policy.size(0));
  LogSoftmaxOfEach(rows.counts, Row(heads.policy, i), absl::MakeSpan(rows.log_probs));
  const int64_t choices = static_cast<int64_t>(rows.counts.size());
  const absl::Span<const int64_t> action(batch.actions.data_ptr<int64_t>() + i * choices, choices);
  const double slope = SurrogateDerivative(CategoricalLogProb(rows.counts, rows.log_probs, action),
                                           batch, i, coefficients, sums);
  sums.entropy +=
      CategoricalHeadGradient(rows.counts, rows.log_probs, action, slope, coefficients.entropy,
                              scale, absl::MakeSpan(rows.probs), out);
  if (!coefficients.penalised) return;
  LogSoftmaxOfEach(rows.counts, Row(batch.old_policy, i), absl::MakeSpan(rows.old_log_probs));
  for (size_t j = 0; j < out.size(); ++j) {
    const double old = std::exp(rows.old_log_probs[j]);
    sums.kl += old * (rows.old_log_probs[j] - rows.log_probs[j]);
    out[j] += static_cast<float>(coefficients.kl_beta * (rows.probs[j] - old) * scale);
  }
}

void AddGaussianStep(const Heads& heads, const PpoMinibatch& batch, const Scalars& coefficients,
                     int64_t i, absl::Span<float> out, absl::Span<float> log_std_out, Sums& sums) {
  const absl::Span<const float> mean = Row(heads.policy, i);
  const absl::Span<const float> action = Row(batch.actions, i);
  const absl::Span<const float> log_std = RowOrAll(heads.log_std, i);
  const double scale = 1.0 / static_cast<double>(heads.policy.size(0));
  const double slope =
      SurrogateDerivative(GaussianLogProb(mean, log_std, action), batch, i, coefficients, sums);
  GaussianHeadGradient(mean, log_std, action, slope, scale, out, log_std_out);
  sums.entropy += GaussianEntropy(log_std);
  for (float& slope_of_entropy : log_std_out)
    slope_of_entropy -= static_cast<float>(coefficients.entropy * scale);
  if (!coefficients.penalised) return;
  const absl::Span<const float> old_log_stds = RowOrAll(batch.old_log_std, i);
  for (size_t a = 0; a < mean.size(); ++a) {
    const double inverse_std = std::exp(-static_cast<double>(log_std[a]));
    const double old_log_std = old_log_stds[a];
    const double shift = (mean[a] - Row(batch.old_policy, i)[a]) * inverse_std;
    const double spread = std::exp(2 * (old_log_std - log_std[a])) + shift * shift;
    sums.kl += log_std[a] - old_log_std + 0.5 * (spread - 1);
    out[a] += static_cast<float>(coefficients.kl_beta * shift * inverse_std * scale);
    log_std_out[a] += static_cast<float>(coefficients.kl_beta * (1 - spread) * scale);
  }
}

}  // namespace

void PpoGradientOf(const Heads& heads, const PpoMinibatch& batch, const PpoCoefficients& tensors,
                   PpoGradient& out) {
  const Scalars coefficients(tensors);
  const int64_t steps = heads.policy.size(0);
  const int64_t width = heads.policy.size(1);
  const bool discrete = !heads.log_std.defined();
  Reserve(out.gradient.policy, {steps, width});
  Reserve(out.gradient.value, {steps});
  Sums sums;
  const absl::Span<float> policy = Flat(out.gradient.policy);
  float* value = out.gradient.value.data_ptr<float>();
  const bool own_log_std = StateDependentDeviation(heads);
  absl::Span<float> log_std;
  if (!discrete) {
    Reserve(out.gradient.log_std, heads.log_std.sizes());
    out.gradient.log_std.zero_();
    log_std = Flat(out.gradient.log_std);
  }
  CategoricalRows rows(heads);
  const double value_scale = coefficients.value / static_cast<double>(steps);
  for (int64_t i = 0; i < steps; ++i) {
    if (discrete)
      AddCategoricalStep(heads, batch, coefficients, i, rows, RowOf(policy, i, width), sums);
    else
      AddGaussianStep(heads, batch, coefficients, i, RowOf(policy, i, width),
                      RowOf(log_std, own_log_std ? i : 0, width), sums);
    value[i] = static_cast<float>(
        value_scale *
        ValueDerivative(heads.value.data_ptr<float>()[i], batch.values.data_ptr<float>()[i],
                        batch.returns.data_ptr<float>()[i], coefficients.value_clip_range, sums));
  }
  const double n = static_cast<double>(steps);
  Reserve(out.numbers, {kPpoNumbers});
  const absl::Span<float> numbers = Flat(out.numbers);
  const auto mean = [n](double sum) { return static_cast<float>(sum / n); };
  numbers[kPolicyLoss] = mean(sums.policy_loss + coefficients.kl_beta * sums.kl);
  numbers[kValueLoss] = mean(sums.value_loss);
  numbers[kEntropy] = mean(sums.entropy);
  numbers[kApproxKl] = mean(sums.approx_kl);
  numbers[kClipFraction] = mean(sums.clip_fraction);
  numbers[kExactKl] = mean(sums.kl);
}

}  // namespace cadre::closed_form
