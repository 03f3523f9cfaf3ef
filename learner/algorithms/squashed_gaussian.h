// A Gaussian policy squashed into bounded actions (Haarnoja et al. 2018,
// arXiv:1812.05905, appendix C). Its head [B, 2A] holds A means, then A log deviations,
// which are clamped to their bounds (policy/log_deviation.h). With standard normal noise e,
//   u = mean + sigma e,    a = tanh(u) in [-1, 1]^A,
//   log pi(a) = sum_A log N(u; mean, sigma) - log(1 - tanh(u)^2),
//   log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)), finite for every u.
// With e held (reparameterised), and beyond a bound only what leads back inside,
//   d a / d mean = 1 - a^2,              d log pi / d mean      = 2a,
//   d a / d log sigma = (1 - a^2) sigma e,  d log pi / d log sigma = 2a sigma e - 1.
// Pure. On the CPU in closed form, on other devices with autograd; a test holds the two
// together.
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
void SampleSquashedGaussian(const torch::Tensor& head, const LogDeviationBounds& bounds,
                            SquashedSample& sample);

// The gradient [B, 2A] with respect to the head of a loss that has `action_gradient`
// [B, A] with respect to the actions, and `log_prob_slope` with respect to every log
// probability.
void SquashedGaussianGradient(const torch::Tensor& head, const LogDeviationBounds& bounds,
                              const SquashedSample& sample, const torch::Tensor& action_gradient,
                              double log_prob_slope, torch::Tensor& gradient);

// Zeroes what leads a log deviation that is beyond a bound even further out; both [B, A].
void StopBeyondBounds(const torch::Tensor& log_deviation, const LogDeviationBounds& bounds,
                      const torch::Tensor& gradient);

// The same two for autograd, on any device. If `head` carries a graph then so does the sample,
// whose gradient passes the clamp as if there were none: StopBeyondBounds comes after it.
SquashedSample SquashedGaussianForAutograd(const torch::Tensor& head,
                                           const LogDeviationBounds& bounds,
                                           const torch::Tensor& noise);
torch::Tensor SquashedGaussianGradientByAutograd(const torch::Tensor& head,
                                                 const LogDeviationBounds& bounds,
                                                 const torch::Tensor& noise,
                                                 const torch::Tensor& action_gradient,
                                                 double log_prob_slope);

}  // namespace cadre
