#include "learner/algorithms/trust_region/surrogate.h"

#include <vector>

#include "learner/algorithms/optimization/loss_gradient.h"
#include "policy/torch_distributions.h"

namespace cadre {

Surrogate ComputeSurrogate(const Heads& heads, const SurrogateSteps& steps,
                           double entropy_coefficient) {
  const bool discrete = !heads.log_std.defined();
  const torch::Tensor log_prob = discrete
                                     ? CategoricalLogProb(heads.policy, steps.actions, heads.counts)
                                     : GaussianLogProb(heads.policy, heads.log_std, steps.actions);
  const torch::Tensor ratio = (log_prob - steps.log_probs).exp();  // [B]
  Surrogate surrogate;
  surrogate.entropy = discrete ? CategoricalEntropy(heads.policy, heads.counts).mean()
                               : GaussianEntropy(heads.log_std).mean();
  surrogate.total = (ratio * steps.advantages).mean() + entropy_coefficient * surrogate.entropy;
  return surrogate;
}

Heads SurrogateGradient(const Heads& heads, const SurrogateSteps& steps,
                        double entropy_coefficient) {
  std::vector<torch::Tensor> inputs{heads.policy};
  if (heads.log_std.defined()) inputs.push_back(heads.log_std);
  const auto gradients = LossGradient(inputs, [&](const std::vector<torch::Tensor>& leaves) {
    return ComputeSurrogate(
               {leaves[0], {}, leaves.size() > 1 ? leaves[1] : torch::Tensor(), heads.counts},
               steps, entropy_coefficient)
        .total;
  });
  return {gradients[0], {}, gradients.size() > 1 ? gradients[1] : torch::Tensor()};
}

torch::Tensor MeanKl(const Heads& old_heads, const Heads& heads) {
  return (heads.log_std.defined()
              ? GaussianKl(old_heads.policy, old_heads.log_std, heads.policy, heads.log_std)
              : CategoricalKl(old_heads.policy, heads.policy, heads.counts))
      .mean();
}

Heads InDouble(const Heads& heads) {
  Heads wide;
  wide.policy = heads.policy.to(torch::kFloat64);
  wide.counts = heads.counts;
  if (heads.log_std.defined()) wide.log_std = heads.log_std.to(torch::kFloat64);
  return wide;
}

}  // namespace cadre
