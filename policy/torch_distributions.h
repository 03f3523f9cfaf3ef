// Action distributions for autograd: the LibTorch twins of distributions.h.
// Categorical over logits [B, D] with actions [B] int64, or a product of categoricals, choice
// k over counts[k] of the logits, with actions [B, K]; diagonal Gaussian with means [B, A], log
// deviations [A] or [B, A] and actions [B, A]. Pure.
#pragma once

#include <torch/types.h>

namespace cadre {

// `counts` empty: one choice, actions [B].
torch::Tensor CategoricalLogProb(const torch::Tensor& logits, const torch::Tensor& actions,
                                 c10::IntArrayRef counts = {});                               // [B]
torch::Tensor CategoricalEntropy(const torch::Tensor& logits, c10::IntArrayRef counts = {});  // [B]
// KL(old || now) in nats.
torch::Tensor CategoricalKl(const torch::Tensor& old_logits, const torch::Tensor& logits,
                            c10::IntArrayRef counts = {});  // [B]
// The probabilities of each choice's alternatives, [B, D].
torch::Tensor CategoricalProbabilities(const torch::Tensor& logits, c10::IntArrayRef counts = {});

torch::Tensor GaussianLogProb(const torch::Tensor& mean, const torch::Tensor& log_std,
                              const torch::Tensor& actions);  // [B]
torch::Tensor GaussianEntropy(const torch::Tensor& log_std);  // [] or [B]
torch::Tensor GaussianKl(const torch::Tensor& old_mean, const torch::Tensor& old_log_std,
                         const torch::Tensor& mean, const torch::Tensor& log_std);  // [B]

}  // namespace cadre
