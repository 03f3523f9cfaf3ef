#include "learner/algorithms/soft_value.h"

#include <torch/autograd.h>

#include <cmath>

#include "learner/algorithms/tensor_spans.h"
#include "policy/distributions.h"

namespace cadre {

void ComputeSoftValues(const torch::Tensor& logits, const torch::Tensor& action_values,
                       double temperature, bool with_gradient, SoftValues& out) {
  CADRE_CHECK(logits.sizes() == action_values.sizes());
  if (!logits.device().is_cpu()) {
    out = SoftValuesByAutograd(logits, action_values, temperature);
    return;
  }
  const int64_t batch = logits.size(0);
  const size_t actions = static_cast<size_t>(logits.size(1));
  Reserve(out.values, {batch});
  Reserve(out.entropies, {batch});
  Reserve(out.gradient, logits.sizes());
  const float alpha = static_cast<float>(temperature);
  const float scale = 1.0f / static_cast<float>(batch);
  for (int64_t b = 0; b < batch; ++b) {
    const absl::Span<const float> q = Flat(action_values).subspan(b * actions, actions);
    // First log pi, then the gradient, in the same row.
    const absl::Span<float> row = Flat(out.gradient).subspan(b * actions, actions);
    LogSoftmax(Flat(logits).subspan(b * actions, actions), row);
    float value = 0, entropy = 0;
    for (size_t a = 0; a < actions; ++a) {
      const float p = std::exp(row[a]);
      value += p * (q[a] - alpha * row[a]);
      entropy -= p * row[a];
    }
    Flat(out.values)[b] = value;
    Flat(out.entropies)[b] = entropy;
    if (!with_gradient) continue;
    for (size_t a = 0; a < actions; ++a)
      row[a] = -scale * std::exp(row[a]) * (q[a] - alpha * row[a] - value);
  }
}

SoftValues SoftValuesByAutograd(const torch::Tensor& logits, const torch::Tensor& action_values,
                                double temperature) {
  torch::AutoGradMode with_graph(true);
  const torch::Tensor leaf = logits.detach().clone().requires_grad_();
  const torch::Tensor log_probs = torch::log_softmax(leaf, 1);
  const torch::Tensor probs = log_probs.exp();
  const torch::Tensor values = (probs * (action_values - temperature * log_probs)).sum(1);
  const torch::Tensor gradient = torch::autograd::grad({-values.mean()}, {leaf})[0];
  return {values.detach(), -(probs * log_probs).sum(1).detach(), gradient};
}

}  // namespace cadre
