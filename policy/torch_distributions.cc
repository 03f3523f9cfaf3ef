#include "policy/torch_distributions.h"

#include <cmath>
#include <numbers>
#include <vector>

namespace cadre {
namespace {

const double kHalfLogTwoPi = 0.5 * std::log(2 * std::numbers::pi);

}  // namespace

torch::Tensor CategoricalLogProb(const torch::Tensor& logits, const torch::Tensor& actions,
                                 c10::IntArrayRef counts) {
  if (counts.empty())
    return torch::log_softmax(logits, -1).gather(1, actions.unsqueeze(1)).squeeze(1);
  const std::vector<torch::Tensor> choices = logits.split_with_sizes(counts, 1);
  torch::Tensor sum;
  for (size_t k = 0; k < choices.size(); ++k) {
    const torch::Tensor log_prob =
        CategoricalLogProb(choices[k], actions.select(1, static_cast<int64_t>(k)));
    sum = sum.defined() ? sum + log_prob : log_prob;
  }
  return sum;
}

torch::Tensor CategoricalEntropy(const torch::Tensor& logits, c10::IntArrayRef counts) {
  if (counts.empty()) {
    const torch::Tensor log_probs = torch::log_softmax(logits, -1);
    return -(log_probs.exp() * log_probs).sum(-1);
  }
  torch::Tensor sum;
  for (const torch::Tensor& choice : logits.split_with_sizes(counts, 1)) {
    const torch::Tensor entropy = CategoricalEntropy(choice);
    sum = sum.defined() ? sum + entropy : entropy;
  }
  return sum;
}

torch::Tensor CategoricalKl(const torch::Tensor& old_logits, const torch::Tensor& logits,
                            c10::IntArrayRef counts) {
  if (counts.empty()) {
    const torch::Tensor old_log_probs = torch::log_softmax(old_logits, -1);
    return (old_log_probs.exp() * (old_log_probs - torch::log_softmax(logits, -1))).sum(-1);
  }
  const std::vector<torch::Tensor> old_choices = old_logits.split_with_sizes(counts, 1);
  const std::vector<torch::Tensor> choices = logits.split_with_sizes(counts, 1);
  torch::Tensor sum;
  for (size_t k = 0; k < choices.size(); ++k) {
    const torch::Tensor kl = CategoricalKl(old_choices[k], choices[k]);
    sum = sum.defined() ? sum + kl : kl;
  }
  return sum;
}

torch::Tensor CategoricalProbabilities(const torch::Tensor& logits, c10::IntArrayRef counts) {
  if (counts.empty()) return logits.softmax(-1);
  std::vector<torch::Tensor> probabilities;
  for (const torch::Tensor& choice : logits.split_with_sizes(counts, 1))
    probabilities.push_back(choice.softmax(-1));
  return torch::cat(probabilities, 1);
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
