#include "learner/algorithms/on_device/head_gradients.h"

namespace cadre {
namespace {

// The derivative of each item's loss with respect to the taken action's outputs, [B, Z]; of
// the cross-entropy p sum(y) - y.
torch::Tensor Slopes(QLossKind kind, const torch::Tensor& taken, const torch::Tensor& targets) {
  if (kind == QLossKind::kCrossEntropy)
    return taken.softmax(1).mul_(targets.sum(1, /*keepdim=*/true)).sub_(targets);
  torch::Tensor error = taken - targets;
  return kind == QLossKind::kHuber ? error.clamp_(-1, 1) : error.mul_(2);
}

}  // namespace

void QGradientOfTensors(QLossKind kind, const torch::Tensor& outputs, const torch::Tensor& targets,
                        const OffPolicyBatch& batch, QGradient& out) {
  torch::NoGradGuard no_graph;
  const int64_t atoms = targets.size(1);
  const std::vector<int64_t> by_action{batch.size(), -1, atoms};
  const torch::Tensor index = batch.actions.view({-1, 1, 1}).expand({-1, 1, atoms});
  const torch::Tensor taken = outputs.view(by_action).gather(1, index).squeeze(1);  // [B, Z]
  const torch::Tensor shares = (batch.weights / static_cast<double>(batch.size())).unsqueeze(1);
  torch::Tensor gradient = torch::zeros_like(outputs);
  gradient.view(by_action).scatter_(1, index, (Slopes(kind, taken, targets) * shares).unsqueeze(1));
  out.outputs = gradient;
  const QLoss loss = ComputeQLoss(kind, outputs, targets, batch);
  out.losses = loss.losses;
  out.errors = loss.errors;
}

torch::Tensor SquashedGaussianGradientOfTensors(const torch::Tensor& head,
                                                const LogDeviationBounds& bounds,
                                                const SquashedSample& sample,
                                                const torch::Tensor& action_gradient,
                                                const torch::Tensor& log_prob_slope) {
  const int64_t dimensions = sample.noise.size(1);
  const torch::Tensor log_deviation = head.narrow(1, dimensions, dimensions);
  const torch::Tensor deviation = log_deviation.clamp(bounds.min, bounds.max).exp_();
  const torch::Tensor u_gradient =
      torch::tanh_backward(action_gradient, sample.actions) + sample.actions * (2 * log_prob_slope);
  const torch::Tensor deviation_gradient = u_gradient * deviation * sample.noise - log_prob_slope;
  StopBeyondBounds(log_deviation, bounds, deviation_gradient);
  return torch::cat({u_gradient, deviation_gradient}, 1);
}

}  // namespace cadre
