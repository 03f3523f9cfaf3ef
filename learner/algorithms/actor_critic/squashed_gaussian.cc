#include "learner/algorithms/actor_critic/squashed_gaussian.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "common/kernels/kernels.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/loss_gradient.h"

namespace cadre {
namespace {

constexpr float kLogTwo = std::numbers::ln2_v<float>;
const float kHalfLogTwoPi = 0.5f * std::log(2 * std::numbers::pi_v<float>);

// log(1 + exp(x)).
float Softplus(float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))); }

// If `head` carries a graph then so does the sample, whose gradient passes the clamp as if there
// were none: StopBeyondBounds comes after it.
SquashedSample SampleOf(const torch::Tensor& head, const LogDeviationBounds& bounds,
                        const torch::Tensor& noise) {
  const int64_t dimensions = noise.size(1);
  const torch::Tensor mean = head.narrow(1, 0, dimensions);
  const torch::Tensor unbounded = head.narrow(1, dimensions, dimensions);
  torch::Tensor log_deviation = unbounded.detach().clamp(bounds.min, bounds.max);
  if (unbounded.requires_grad()) log_deviation = log_deviation + (unbounded - unbounded.detach());
  const torch::Tensor u = mean + log_deviation.exp() * noise;
  const torch::Tensor gaussian = -0.5 * noise.square() - log_deviation - kHalfLogTwoPi;
  const torch::Tensor squash = 2 * (kLogTwo - u - torch::softplus(-2 * u));
  return {noise, torch::tanh(u), (gaussian - squash).sum(1)};
}

// Zeroes what leads a log deviation that is beyond a bound even further out; both [B, A].
void StopBeyondBounds(const torch::Tensor& log_deviation, const LogDeviationBounds& bounds,
                      const torch::Tensor& gradient) {
  gradient.masked_fill_(log_deviation.gt(bounds.max).logical_and(gradient.lt(0)), 0);
  gradient.masked_fill_(log_deviation.lt(bounds.min).logical_and(gradient.gt(0)), 0);
}

torch::Tensor GradientByAutograd(const torch::Tensor& head, const LogDeviationBounds& bounds,
                                 const torch::Tensor& noise, const torch::Tensor& action_gradient,
                                 const torch::Tensor& log_prob_slope) {
  const torch::Tensor gradient =
      LossGradient({head}, [&](const std::vector<torch::Tensor>& leaves) {
        const SquashedSample sample = SampleOf(leaves[0], bounds, noise);
        return (action_gradient * sample.actions).sum() + log_prob_slope * sample.log_probs.sum();
      })[0];
  torch::NoGradGuard no_graph;
  const int64_t dimensions = noise.size(1);
  StopBeyondBounds(head.narrow(1, dimensions, dimensions), bounds,
                   gradient.narrow(1, dimensions, dimensions));
  return gradient;
}

}  // namespace

void SampleSquashedGaussian(const torch::Tensor& head, const LogDeviationBounds& bounds, bool fast,
                            SquashedSample& sample) {
  if (!fast) {
    sample = SampleOf(head, bounds, sample.noise);
    return;
  }
  const int64_t batch = sample.noise.size(0);
  const int64_t dimensions = sample.noise.size(1);
  CADRE_CHECK(head.size(0) == batch && head.size(1) == 2 * dimensions);
  Reserve(sample.actions, {batch, dimensions});
  Reserve(sample.log_probs, {batch});
  const float* row = Flat(head).data();
  const float* noise = Flat(sample.noise).data();
  float* action = Flat(sample.actions).data();
  float* log_probs = Flat(sample.log_probs).data();
  for (int64_t b = 0; b < batch; ++b) {
    float log_prob = 0;
    for (int64_t a = 0; a < dimensions; ++a) {
      const float log_deviation = bounds.Clamp(row[dimensions + a]);
      const float u = row[a] + std::exp(log_deviation) * noise[a];
      log_prob -= 0.5f * noise[a] * noise[a] + log_deviation + kHalfLogTwoPi;
      log_prob -= 2 * (kLogTwo - u - Softplus(-2 * u));
      action[a] = u;
    }
    log_probs[b] = log_prob;
    row += 2 * dimensions;
    noise += dimensions;
    action += dimensions;
  }
  kernels::Best().tanh(batch * dimensions, Flat(sample.actions).data());
}

void SquashedGaussianGradient(const torch::Tensor& head, const LogDeviationBounds& bounds,
                              const SquashedSample& sample, const torch::Tensor& action_gradient,
                              const torch::Tensor& log_prob_slope, bool fast,
                              torch::Tensor& gradient) {
  if (!fast) {
    gradient = GradientByAutograd(head, bounds, sample.noise, action_gradient, log_prob_slope);
    return;
  }
  const int64_t batch = sample.noise.size(0);
  const int64_t dimensions = sample.noise.size(1);
  CADRE_CHECK(action_gradient.sizes() == sample.noise.sizes());
  Reserve(gradient, {batch, 2 * dimensions});
  const float slope = log_prob_slope.item<float>();
  const float* row = Flat(head).data();
  const float* noise = Flat(sample.noise).data();
  const float* action = Flat(sample.actions).data();
  const float* from = Flat(action_gradient).data();
  float* to = Flat(gradient).data();
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t a = 0; a < dimensions; ++a) {
      const float log_deviation = row[dimensions + a];
      const float y = action[a];
      const float u_gradient = from[a] * (1 - y * y) + slope * 2 * y;
      to[a] = u_gradient;
      const float deviation_gradient =
          u_gradient * std::exp(bounds.Clamp(log_deviation)) * noise[a] - slope;
      to[dimensions + a] =
          bounds.LeadsFurtherOut(log_deviation, deviation_gradient) ? 0.0f : deviation_gradient;
    }
    row += 2 * dimensions;
    noise += dimensions;
    action += dimensions;
    from += dimensions;
    to += 2 * dimensions;
  }
}

}  // namespace cadre
