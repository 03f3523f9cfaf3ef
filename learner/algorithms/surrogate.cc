#include "learner/algorithms/surrogate.h"

#include <torch/autograd.h>

#include <vector>

#include "policy/torch_distributions.h"

namespace cadre {

Surrogate ComputeSurrogate(const Heads& heads, const SurrogateSteps& steps,
                           double entropy_coefficient) {
  const bool discrete = !heads.log_std.defined();
  const torch::Tensor log_prob = discrete
                                     ? CategoricalLogProb(heads.policy, steps.actions)
                                     : GaussianLogProb(heads.policy, heads.log_std, steps.actions);
  const torch::Tensor ratio = (log_prob - steps.log_probs).exp();  // [B]
  Surrogate surrogate;
  surrogate.entropy =
      discrete ? CategoricalEntropy(heads.policy).mean() : GaussianEntropy(heads.log_std);
  surrogate.total = (ratio * steps.advantages).mean() + entropy_coefficient * surrogate.entropy;
  return surrogate;
}

Heads SurrogateGradient(const Heads& heads, const SurrogateSteps& steps,
                        double entropy_coefficient) {
  torch::AutoGradMode with_graph(true);
  Heads leaves;
  leaves.policy = heads.policy.detach().clone().requires_grad_();
  std::vector<torch::Tensor> inputs{leaves.policy};
  if (heads.log_std.defined()) {
    leaves.log_std = heads.log_std.detach().clone().requires_grad_();
    inputs.push_back(leaves.log_std);
  }
  const Surrogate surrogate = ComputeSurrogate(leaves, steps, entropy_coefficient);
  const auto gradients = torch::autograd::grad({surrogate.total}, inputs);
  Heads gradient;
  gradient.policy = gradients[0].contiguous();
  if (heads.log_std.defined()) gradient.log_std = gradients[1].contiguous();
  return gradient;
}

torch::Tensor MeanKl(const Heads& old_heads, const Heads& heads) {
  return (heads.log_std.defined()
              ? GaussianKl(old_heads.policy, old_heads.log_std, heads.policy, heads.log_std)
              : CategoricalKl(old_heads.policy, heads.policy))
      .mean();
}

Heads InDouble(const Heads& heads) {
  Heads wide;
  wide.policy = heads.policy.to(torch::kFloat64);
  if (heads.log_std.defined()) wide.log_std = heads.log_std.to(torch::kFloat64);
  return wide;
}

}  // namespace cadre
