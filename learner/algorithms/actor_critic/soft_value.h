// The soft state value of a categorical policy, exact (Christodoulou 2019,
// arXiv:1910.07207, eq. 10):
//   V = sum_a pi(a) (Q(a) - alpha log pi(a)),    pi = softmax(logits).
// With f(a) = Q(a) - alpha log pi(a), dV / d logit_j = pi_j (f_j - V): the term of
// d log pi sums to zero. Pure. `fast`: in closed form, on the CPU; else with autograd, on any
// device. A test holds the two together.
#pragma once

#include <torch/types.h>

namespace cadre {

struct SoftValues {
  torch::Tensor values;     // [B] V
  torch::Tensor entropies;  // [B] -sum_a pi(a) log pi(a), nats
  torch::Tensor gradient;   // [B, n] of the mean of -V with respect to the logits; Q is held.
};

// `logits` and `action_values` [B, n], `temperature` []. Buffers are reused. No gradient where it
// is not wanted.
void ComputeSoftValues(const torch::Tensor& logits, const torch::Tensor& action_values,
                       const torch::Tensor& temperature, bool with_gradient, bool fast,
                       SoftValues& out);

}  // namespace cadre
