// What the critics of DDPG, TD3 and SAC share: the bootstrapped target, the least of
// several critics, and the squared error. K values for each row: 1 of an observation and
// a continuous action, or one for each discrete action. Pure. Buffers are reused. `fast`: in
// plain loops, on the CPU; else with autograd, on any device. A test holds the two together.
#pragma once

#include <vector>

#include <torch/types.h>

#include "absl/types/span.h"

namespace cadre {

// y = r + discount * v, all [B]; `discounts` are 0 after a terminal state.
void BootstrapTargets(const torch::Tensor& rewards, const torch::Tensor& discounts,
                      const torch::Tensor& next_values, torch::Tensor& targets);

// min_i Q_i (Fujimoto et al. 2018, eq. 10), which keeps overestimation out. `values`, by
// critic, and `minimum` [B, K].
void MinimumOfCritics(absl::Span<const torch::Tensor> values, torch::Tensor& minimum);

// The gradient of `scale` times the sum of the minimum, by critic [B, K]: all of it to
// the least, the first where they are equal.
void MinimumGradient(absl::Span<const torch::Tensor> values, double scale, bool fast,
                     std::vector<torch::Tensor>& gradients);

// With e_i = Q_i(s, a) - y:
struct CriticErrors {
  std::vector<torch::Tensor> gradients;  // By critic [B, K], of the mean of `losses`.
  torch::Tensor losses;                  // [B] w sum_i e_i^2
  torch::Tensor absolute;                // [B] mean_i |e_i|
  torch::Tensor values;                  // [B] mean_i Q_i(s, a)
};

// `values`, by critic [B, K]; `actions` [B] int64, or undefined where K is 1; `targets`
// and importance `weights` [B].
void ComputeCriticErrors(absl::Span<const torch::Tensor> values, const torch::Tensor& actions,
                         const torch::Tensor& targets, const torch::Tensor& weights, bool fast,
                         CriticErrors& out);

// A batch's new priorities; none where the span is empty.
void CopyPriorities(const CriticErrors& errors, absl::Span<float> priorities);

}  // namespace cadre
