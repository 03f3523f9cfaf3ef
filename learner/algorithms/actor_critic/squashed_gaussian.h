// A Gaussian policy squashed into bounded actions (Haarnoja et al. 2018,
// arXiv:1812.05905, appendix C). Its head [B, 2A] holds A means, then A log deviations,
// which are clamped to their bounds (policy/log_deviation.h). With standard normal noise e,
//   u = mean + sigma e,    a = tanh(u) in [-1, 1]^A,
//   log pi(a) = sum_A log N(u; mean, sigma) - log(1 - tanh(u)^2),
//   log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)), finite for every u.
// With e held (reparameterised), and beyond a bound only what leads back inside,
//   d a / d mean = 1 - a^2,              d log pi / d mean      = 2a,
//   d a / d log sigma = (1 - a^2) sigma e,  d log pi / d log sigma = 2a sigma e - 1.
// Pure. `fast`: in closed form, on the CPU; else with autograd, on any device. A test holds the
// two together.
#pragma once

#include <torch/types.h>

#include "policy/log_deviation.h"

namespace cadre {

struct SquashedSample {
  torch::Tensor noise;      // [B, A] e; the caller's.
  torch::Tensor actions;    // [B, A] in [-1, 1]
  torch::Tensor log_probs;  // [B] log density of the action, in [-1, 1]^A
};

// The sample that the head [B, 2A] and `sample.noise` make. Buffers are reused.
void SampleSquashedGaussian(const torch::Tensor& head, const LogDeviationBounds& bounds, bool fast,
                            SquashedSample& sample);

// The gradient [B, 2A] with respect to the head of a loss that has `action_gradient`
// [B, A] with respect to the actions, and `log_prob_slope` [] with respect to every log
// probability.
void SquashedGaussianGradient(const torch::Tensor& head, const LogDeviationBounds& bounds,
                              const SquashedSample& sample, const torch::Tensor& action_gradient,
                              const torch::Tensor& log_prob_slope, bool fast,
                              torch::Tensor& gradient);

}  // namespace cadre
