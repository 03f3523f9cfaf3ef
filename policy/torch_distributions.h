// Action distributions for autograd: the LibTorch twins of distributions.h.
// Categorical over logits [B, D] with actions [B] int64; diagonal Gaussian with
// means [B, A], state-independent log deviations [A] and actions [B, A]. Pure.
#pragma once

#include <torch/types.h>

namespace cadre {

torch::Tensor CategoricalLogProb(const torch::Tensor& logits, const torch::Tensor& actions);  // [B]
torch::Tensor CategoricalEntropy(const torch::Tensor& logits);                                // [B]
// KL(old || now) in nats.
torch::Tensor CategoricalKl(const torch::Tensor& old_logits, const torch::Tensor& logits);  // [B]

torch::Tensor GaussianLogProb(const torch::Tensor& mean, const torch::Tensor& log_std,
                              const torch::Tensor& actions);  // [B]
torch::Tensor GaussianEntropy(const torch::Tensor& log_std);  // []
torch::Tensor GaussianKl(const torch::Tensor& old_mean, const torch::Tensor& old_log_std,
                         const torch::Tensor& mean, const torch::Tensor& log_std);  // [B]

}  // namespace cadre
