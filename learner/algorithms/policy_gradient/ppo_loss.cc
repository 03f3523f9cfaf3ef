#include "learner/algorithms/policy_gradient/ppo_loss.h"

#include <vector>

#include "learner/algorithms/optimization/loss_gradient.h"
#include "policy/torch_distributions.h"

namespace cadre {
namespace {

// max((V - R)^2, (V_old + clip(V - V_old, -c, c) - R)^2), or the first alone where c is 0.
torch::Tensor ValueLoss(const torch::Tensor& value, const PpoMinibatch& batch, double c) {
  const torch::Tensor error = (value - batch.returns).square();
  if (c <= 0) return error;
  const torch::Tensor clipped = batch.values + (value - batch.values).clamp(-c, c);
  return torch::maximum(error, (clipped - batch.returns).square());
}

torch::Tensor Kl(const Heads& heads, const PpoMinibatch& batch) {
  return heads.log_std.defined()
             ? GaussianKl(batch.old_policy, batch.old_log_std, heads.policy, heads.log_std)
             : CategoricalKl(batch.old_policy, heads.policy, heads.counts);
}

}  // namespace

PpoLoss ComputePpoLoss(const Heads& heads, const PpoMinibatch& batch,
                       const PpoCoefficients& coefficients) {
  const bool discrete = !heads.log_std.defined();
  const torch::Tensor log_prob = discrete
                                     ? CategoricalLogProb(heads.policy, batch.actions, heads.counts)
                                     : GaussianLogProb(heads.policy, heads.log_std, batch.actions);
  const torch::Tensor log_ratio = (log_prob - batch.log_probs).clamp_max(kMaxPpoLogRatio);  // [B]
  const torch::Tensor ratio = log_ratio.exp();
  const torch::Tensor clip = coefficients.clip_range.to(torch::kFloat32);
  const torch::Tensor clipped = ratio.clamp(1 - clip, 1 + clip);

  torch::Tensor policy, kl = torch::zeros({}, heads.policy.options());
  if (coefficients.objective == PpoConfig::CLIPPED) {
    policy = -torch::minimum(ratio * batch.advantages, clipped * batch.advantages).mean();
  } else {
    kl = Kl(heads, batch).mean();
    policy = -(ratio * batch.advantages).mean() + coefficients.kl_beta.to(torch::kFloat32) * kl;
  }
  const torch::Tensor value = ValueLoss(heads.value, batch, coefficients.value_clip_range).mean();
  const torch::Tensor entropy = discrete ? CategoricalEntropy(heads.policy, heads.counts).mean()
                                         : GaussianEntropy(heads.log_std).mean();

  // Of the actions of the policy that the ratio is taken to.
  const auto mean = [&](const torch::Tensor& of_steps) {
    return (batch.weights.defined() ? batch.weights * of_steps : of_steps).mean();
  };
  PpoLoss loss;
  loss.total = policy + coefficients.value * value - coefficients.entropy * entropy;
  loss.numbers = torch::stack({policy, value, entropy, mean(ratio - 1 - log_ratio),
                               mean((ratio != clipped).to(torch::kFloat32)), kl})
                     .detach();
  return loss;
}

void ComputePpoGradient(const Heads& heads, const PpoMinibatch& batch,
                        const PpoCoefficients& coefficients, bool fast, PpoGradient& out) {
  if (fast) return closed_form::PpoGradientOf(heads, batch, coefficients, out);
  std::vector<torch::Tensor> inputs{heads.policy, heads.value};
  if (heads.log_std.defined()) inputs.push_back(heads.log_std);
  const auto gradients = LossGradient(inputs, [&](const std::vector<torch::Tensor>& leaves) {
    const PpoLoss loss = ComputePpoLoss(
        {leaves[0], leaves[1], leaves.size() > 2 ? leaves[2] : torch::Tensor(), heads.counts},
        batch, coefficients);
    out.numbers = loss.numbers;
    return loss.total;
  });
  out.gradient = {gradients[0], gradients[1],
                  gradients.size() > 2 ? gradients[2] : torch::Tensor()};
}

}  // namespace cadre
