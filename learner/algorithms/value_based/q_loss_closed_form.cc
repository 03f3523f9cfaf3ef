// The targets of Q-learning, and the gradient of its losses with respect to the
// network's outputs, by hand. With e = q(s, a) - y and p the softmax of the logits of a:
//   squared        d l / d q(s, a)    = 2 e
//   Huber          d l / d q(s, a)    = e clipped to [-1, 1]
//   cross-entropy  d l / d logit_z    = p_z - y_z, as the y_z sum to 1
// and 0 for the actions that were not taken.
#include <algorithm>
#include <cmath>
#include <vector>

#include "common/check.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/value_based/q_loss.h"
#include "policy/distributions.h"

namespace cadre::closed_form {
namespace {

// probabilities = softmax(logits); [Z]
void Softmax(absl::Span<const float> logits, absl::Span<float> probabilities) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  float sum = 0;
  for (size_t z = 0; z < logits.size(); ++z) {
    probabilities[z] = std::exp(logits[z] - largest);
    sum += probabilities[z];
  }
  for (float& p : probabilities) p /= sum;
}

// The loss of one item and its derivative with respect to the error.
struct ScalarLoss {
  double loss, slope;
};

ScalarLoss Evaluate(QLossKind kind, double error) {
  if (kind == QLossKind::kSquared) return {error * error, 2 * error};
  if (std::abs(error) <= 1) return {0.5 * error * error, error};
  return {std::abs(error) - 0.5, std::copysign(1.0, error)};
}

// Of item `b`, with these values: the largest that the mask allows.
int64_t GreedyAction(absl::Span<const float> values, const torch::Tensor& mask, int64_t b) {
  if (!mask.defined()) return ArgMax(values);
  const int64_t actions = static_cast<int64_t>(values.size());
  const absl::Span<const uint8_t> allowed = RowOf(Flat<uint8_t>(mask), b, actions);
  int64_t best = -1;
  for (int64_t i = 0; i < actions; ++i)
    if (allowed[i] != 0 && (best < 0 || values[i] > values[best])) best = i;
  return std::max<int64_t>(best, 0);
}

}  // namespace

void TdTargets(const NextOutputs& next, const OffPolicyBatch& batch, torch::Tensor& targets) {
  const int64_t actions = next.target.size(1);
  Reserve(targets, {batch.size(), 1});
  const absl::Span<float> chooser = Flat(next.chooser), values = Flat(next.target);
  const absl::Span<float> rewards = Flat(batch.rewards), discounts = Flat(batch.discounts);
  const absl::Span<float> y = Flat(targets);
  for (int64_t b = 0; b < batch.size(); ++b) {
    const int64_t action = GreedyAction(RowOf(chooser, b, actions), next.mask, b);
    y[b] = rewards[b] + discounts[b] * values[b * actions + action];
  }
}

void CategoricalTargets(const CategoricalSupport& support, const NextOutputs& next,
                        const OffPolicyBatch& batch, torch::Tensor& targets) {
  const int64_t atoms = support.atoms;
  const int64_t actions = next.target.size(1) / atoms;
  Reserve(targets, {batch.size(), atoms});
  const absl::Span<float> chooser = Flat(next.chooser), logits = Flat(next.target);
  const absl::Span<float> rewards = Flat(batch.rewards), discounts = Flat(batch.discounts);
  std::vector<float> means(actions), probabilities(atoms);
  for (int64_t b = 0; b < batch.size(); ++b) {
    for (int64_t i = 0; i < actions; ++i) {
      Softmax(RowOf(chooser, b * actions + i, atoms), absl::MakeSpan(probabilities));
      double mean = 0;
      for (int64_t z = 0; z < atoms; ++z) mean += probabilities[z] * support.value(z);
      means[i] = static_cast<float>(mean);
    }
    const int64_t action = GreedyAction(means, next.mask, b);
    Softmax(RowOf(logits, b * actions + action, atoms), absl::MakeSpan(probabilities));
    ProjectCategorical(support, rewards[b], discounts[b], probabilities,
                       RowOf(Flat(targets), b, atoms));
  }
}

void QGradientOf(QLossKind kind, const torch::Tensor& outputs, const torch::Tensor& targets,
                 const OffPolicyBatch& batch, QGradient& out) {
  const int64_t items = batch.size();
  const int64_t atoms = targets.size(1);
  const int64_t actions = outputs.size(1) / atoms;
  CADRE_CHECK(outputs.size(0) == items && targets.size(0) == items);
  Reserve(out.outputs, outputs.sizes());
  Reserve(out.losses, {items});
  Reserve(out.errors, {items});
  out.outputs.zero_();
  const absl::Span<float> values = Flat(outputs), y = Flat(targets), weights = Flat(batch.weights);
  const absl::Span<float> losses = Flat(out.losses), errors = Flat(out.errors);
  const absl::Span<int64_t> taken = Flat<int64_t>(batch.actions);
  std::vector<float> log_probs(atoms);
  for (int64_t b = 0; b < items; ++b) {
    const absl::Span<float> row = RowOf(values, b * actions + taken[b], atoms);
    const absl::Span<float> gradient = RowOf(Flat(out.outputs), b * actions + taken[b], atoms);
    const double scale = weights[b] / static_cast<double>(items);
    if (kind != QLossKind::kCrossEntropy) {
      const double error = static_cast<double>(row[0]) - y[b];
      const ScalarLoss loss = Evaluate(kind, error);
      gradient[0] = static_cast<float>(scale * loss.slope);
      losses[b] = static_cast<float>(loss.loss);
      errors[b] = static_cast<float>(std::abs(error));
      continue;
    }
    LogSoftmax(row, absl::MakeSpan(log_probs));
    double cross_entropy = 0, entropy = 0;
    for (int64_t z = 0; z < atoms; ++z) {
      const double target = y[b * atoms + z];
      cross_entropy -= target * log_probs[z];
      if (target > 0) entropy -= target * std::log(target);
      gradient[z] = static_cast<float>(scale * (std::exp(log_probs[z]) - target));
    }
    losses[b] = static_cast<float>(cross_entropy);
    errors[b] = static_cast<float>(std::max(cross_entropy - entropy, 0.0));
  }
}

}  // namespace cadre::closed_form
