#include "learner/algorithms/on_device/ppo_gradient.h"

#include <cmath>
#include <numbers>

#include "common/check.h"

namespace cadre {
namespace {

const double kHalfLogTwoPi = 0.5 * std::log(2 * std::numbers::pi);

// The loss of the surrogate and its derivative with respect to log p(a), for each step.
struct Surrogate {
  torch::Tensor loss, slope;               // [B]
  torch::Tensor approx_kl, clip_fraction;  // []
};

Surrogate ClippedSurrogate(const torch::Tensor& log_prob, const PpoMinibatch& batch,
                           const PpoClipBounds& bounds) {
  const torch::Tensor log_ratio = log_prob - batch.log_probs;
  const torch::Tensor ratio = log_ratio.exp();
  const torch::Tensor inside = ratio.clamp(bounds.low, bounds.high);
  const torch::Tensor plain = ratio * batch.advantages;
  const torch::Tensor clipped = inside * batch.advantages;
  Surrogate out;
  out.loss = -torch::minimum(plain, clipped);
  out.slope = (-plain).masked_fill_(clipped < plain, 0);  // 0 on the minimum's flat branch.
  out.approx_kl = (ratio - 1 - log_ratio).mean();
  out.clip_fraction = (ratio != inside).to(torch::kFloat32).mean();
  return out;
}

// The value's loss and derivative, for each step.
struct ValueTerm {
  torch::Tensor loss, slope;  // [B]
};

ValueTerm SquaredError(const torch::Tensor& value, const PpoMinibatch& batch, double clip_range) {
  const torch::Tensor error = value - batch.returns;
  if (clip_range <= 0) return {error.square(), error * 2};
  const torch::Tensor clipped_error =
      batch.values + (value - batch.values).clamp_(-clip_range, clip_range) - batch.returns;
  const torch::Tensor square = error.square(), clipped_square = clipped_error.square();
  // 0 on the maximum's flat branch.
  return {torch::maximum(square, clipped_square),
          (error * 2).masked_fill_(clipped_square > square, 0)};
}

}  // namespace

PpoTensorGradient PpoGradientOfTensors(const Heads& heads, const PpoMinibatch& batch,
                                       const PpoClipBounds& bounds,
                                       const PpoCoefficients& coefficients) {
  torch::NoGradGuard no_graph;
  CADRE_CHECK(coefficients.objective == PpoConfig::CLIPPED);
  const double share = 1.0 / static_cast<double>(heads.policy.size(0));
  PpoTensorGradient out;
  Surrogate surrogate;
  torch::Tensor entropy;  // []
  if (!heads.log_std.defined()) {
    const torch::Tensor actions = batch.actions.unsqueeze(1);         // [B, 1]
    const torch::Tensor log_p = torch::log_softmax(heads.policy, 1);  // [B, D]
    const torch::Tensor p = log_p.exp();
    const torch::Tensor entropies = -(p * log_p).sum(1, /*keepdim=*/true);  // [B, 1]
    surrogate = ClippedSurrogate(log_p.gather(1, actions).squeeze(1), batch, bounds);
    const torch::Tensor slope = (surrogate.slope * share).unsqueeze(1);
    // slope (1[j = a] - p_j) + c_entropy p_j (log p_j + H) / B
    out.gradient.policy = (p * ((log_p + entropies) * (coefficients.entropy * share) - slope))
                              .scatter_add_(1, actions, slope);
    entropy = entropies.mean();
  } else {
    const torch::Tensor inverse_std = (-heads.log_std).exp();  // [A]
    const torch::Tensor z = (batch.actions - heads.policy) * inverse_std;
    const torch::Tensor log_prob = (z.square() * -0.5 - heads.log_std - kHalfLogTwoPi).sum(1);
    surrogate = ClippedSurrogate(log_prob, batch, bounds);
    const torch::Tensor slope = (surrogate.slope * share).unsqueeze(1);
    out.gradient.policy = slope * z * inverse_std;
    out.gradient.log_std = (slope * (z.square() - 1)).sum(0) - coefficients.entropy;
    entropy = (heads.log_std + (0.5 + kHalfLogTwoPi)).sum();
  }
  const ValueTerm value = SquaredError(heads.value, batch, coefficients.value_clip_range);
  out.gradient.value = value.slope * (coefficients.value * share);
  out.numbers = torch::stack({surrogate.loss.mean(), value.loss.mean(), entropy,
                              surrogate.approx_kl, surrogate.clip_fraction});
  return out;
}

void NormalizeAdvantages(torch::Tensor advantages) {
  const auto [deviation, mean] = torch::std_mean(advantages, /*unbiased=*/true);
  advantages.sub_(mean).div_(deviation + 1e-8);
}

}  // namespace cadre
