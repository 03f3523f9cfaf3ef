#include "learner/algorithms/actor_critic/soft_value.h"

#include <cmath>

#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/loss_gradient.h"
#include "policy/distributions.h"

namespace cadre {
namespace {

SoftValues ByAutograd(const torch::Tensor& logits, const torch::Tensor& action_values,
                      const torch::Tensor& temperature, bool with_gradient) {
  const auto values = [&](const torch::Tensor& log_probs) {  // [B]
    return (log_probs.exp() * (action_values - temperature * log_probs)).sum(1);
  };
  SoftValues out;
  const torch::Tensor log_probs = logits.log_softmax(1);
  out.values = values(log_probs);
  out.entropies = -(log_probs.exp() * log_probs).sum(1);
  if (with_gradient)
    out.gradient = LossGradient({logits}, [&](const std::vector<torch::Tensor>& leaves) {
      return -values(leaves[0].log_softmax(1)).mean();
    })[0];
  return out;
}

}  // namespace

void ComputeSoftValues(const torch::Tensor& logits, const torch::Tensor& action_values,
                       const torch::Tensor& temperature, bool with_gradient, bool fast,
                       SoftValues& out) {
  CADRE_CHECK(logits.sizes() == action_values.sizes());
  if (!fast) {
    out = ByAutograd(logits, action_values, temperature, with_gradient);
    return;
  }
  const int64_t batch = logits.size(0);
  const size_t actions = static_cast<size_t>(logits.size(1));
  Reserve(out.values, {batch});
  Reserve(out.entropies, {batch});
  Reserve(out.gradient, logits.sizes());
  const float alpha = temperature.item<float>();
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

}  // namespace cadre
