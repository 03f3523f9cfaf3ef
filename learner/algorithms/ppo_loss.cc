#include "learner/algorithms/ppo_loss.h"

#include <torch/autograd.h>

#include "policy/torch_distributions.h"

namespace cadre {

PpoLoss ComputePpoLoss(const Heads& heads, const PpoMinibatch& batch,
                       const PpoCoefficients& coefficients) {
  const bool discrete = !heads.log_std.defined();
  const torch::Tensor log_prob = discrete
                                     ? CategoricalLogProb(heads.policy, batch.actions)
                                     : GaussianLogProb(heads.policy, heads.log_std, batch.actions);
  const torch::Tensor log_ratio = log_prob - batch.log_probs;  // [B]
  const torch::Tensor ratio = log_ratio.exp();
  const double clip = coefficients.clip_range;

  PpoLoss loss;
  loss.kl = torch::zeros({}, heads.policy.options());
  if (coefficients.objective == PpoConfig::CLIPPED) {
    loss.policy =
        -torch::min(ratio * batch.advantages, ratio.clamp(1 - clip, 1 + clip) * batch.advantages)
             .mean();
  } else {
    loss.kl =
        (discrete ? CategoricalKl(batch.old_policy, heads.policy)
                  : GaussianKl(batch.old_policy, batch.old_log_std, heads.policy, heads.log_std))
            .mean();
    loss.policy = -(ratio * batch.advantages).mean() + coefficients.kl_beta * loss.kl;
  }

  const torch::Tensor error = (heads.value - batch.returns).square();
  if (coefficients.value_clip_range > 0) {
    const torch::Tensor clipped =
        batch.values + (heads.value - batch.values)
                           .clamp(-coefficients.value_clip_range, coefficients.value_clip_range);
    loss.value = torch::max(error, (clipped - batch.returns).square()).mean();
  } else {
    loss.value = error.mean();
  }

  loss.entropy =
      discrete ? CategoricalEntropy(heads.policy).mean() : GaussianEntropy(heads.log_std);
  loss.total = loss.policy + coefficients.value * loss.value - coefficients.entropy * loss.entropy;
  loss.approx_kl = ((ratio - 1) - log_ratio).mean().detach();
  loss.clip_fraction = ((ratio - 1).abs() > clip).to(torch::kFloat32).mean().detach();
  return loss;
}

void PpoGradientByAutograd(const Heads& heads, const PpoMinibatch& batch,
                           const PpoCoefficients& coefficients, PpoHeadGradient& out) {
  torch::AutoGradMode with_graph(true);
  Heads leaves{heads.policy.detach().clone().requires_grad_(),
               heads.value.detach().clone().requires_grad_(),
               {}};
  std::vector<torch::Tensor> inputs{leaves.policy, leaves.value};
  if (heads.log_std.defined()) {
    leaves.log_std = heads.log_std.detach().clone().requires_grad_();
    inputs.push_back(leaves.log_std);
  }
  const PpoLoss loss = ComputePpoLoss(leaves, batch, coefficients);
  const auto gradients = torch::autograd::grad({loss.total}, inputs);
  out.gradient.policy = gradients[0].contiguous();
  out.gradient.value = gradients[1].contiguous();
  if (heads.log_std.defined()) out.gradient.log_std = gradients[2].contiguous();
  // One transfer for all of them.
  const torch::Tensor numbers =
      torch::stack({loss.policy.detach(), loss.value.detach(), loss.entropy.detach(),
                    loss.approx_kl, loss.clip_fraction, loss.kl.detach()})
          .cpu();
  const float* n = numbers.data_ptr<float>();
  out.diagnostics = {n[0], n[1], n[2], n[3], n[4], n[5]};
}

}  // namespace cadre
