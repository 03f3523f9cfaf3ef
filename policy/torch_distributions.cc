#include "policy/torch_distributions.h"

#include <cmath>
#include <numbers>

namespace cadre {
namespace {

const double kHalfLogTwoPi = 0.5 * std::log(2 * std::numbers::pi);

}  // namespace

torch::Tensor CategoricalLogProb(const torch::Tensor& logits, const torch::Tensor& actions) {
  return torch::log_softmax(logits, -1).gather(1, actions.unsqueeze(1)).squeeze(1);
}

torch::Tensor CategoricalEntropy(const torch::Tensor& logits) {
  const torch::Tensor log_probs = torch::log_softmax(logits, -1);
  return -(log_probs.exp() * log_probs).sum(-1);
}

torch::Tensor CategoricalKl(const torch::Tensor& old_logits, const torch::Tensor& logits) {
  const torch::Tensor old_log_probs = torch::log_softmax(old_logits, -1);
  return (old_log_probs.exp() * (old_log_probs - torch::log_softmax(logits, -1))).sum(-1);
}

torch::Tensor GaussianLogProb(const torch::Tensor& mean, const torch::Tensor& log_std,
                              const torch::Tensor& actions) {
  const torch::Tensor z = (actions - mean) * (-log_std).exp();
  return (-0.5 * z.square() - log_std - kHalfLogTwoPi).sum(-1);
}

torch::Tensor GaussianEntropy(const torch::Tensor& log_std) {
  return (log_std + 0.5 + kHalfLogTwoPi).sum(-1);
}

torch::Tensor GaussianKl(const torch::Tensor& old_mean, const torch::Tensor& old_log_std,
                         const torch::Tensor& mean, const torch::Tensor& log_std) {
  const torch::Tensor variance_ratio = (2 * (old_log_std - log_std)).exp();
  const torch::Tensor shift = (old_mean - mean) * (-log_std).exp();
  return (log_std - old_log_std + 0.5 * (variance_ratio + shift.square() - 1)).sum(-1);
}

}  // namespace cadre
