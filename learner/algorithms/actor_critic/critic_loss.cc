#include "learner/algorithms/actor_critic/critic_loss.h"

#include <algorithm>
#include <cmath>

#include "common/check.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/loss_gradient.h"

namespace cadre {
namespace {

void ReserveEach(absl::Span<const torch::Tensor> like, std::vector<torch::Tensor>& buffers) {
  buffers.resize(like.size());
  for (size_t i = 0; i < like.size(); ++i) Reserve(buffers[i], like[i].sizes());
}

// e_i, by critic [B].
std::vector<torch::Tensor> Errors(const std::vector<torch::Tensor>& values,
                                  const torch::Tensor& actions, const torch::Tensor& targets) {
  std::vector<torch::Tensor> errors;
  for (const torch::Tensor& value : values)
    errors.push_back(
        (actions.defined() ? value.gather(1, actions.unsqueeze(1)) : value).squeeze(1) - targets);
  return errors;
}

CriticErrors ErrorsByAutograd(absl::Span<const torch::Tensor> values, const torch::Tensor& actions,
                              const torch::Tensor& targets, const torch::Tensor& weights) {
  const auto losses = [&](const torch::Tensor& errors) { return weights * errors.square().sum(0); };
  CriticErrors out;
  out.gradients = LossGradient(values, [&](const std::vector<torch::Tensor>& critics) {
    return losses(torch::stack(Errors(critics, actions, targets))).mean();
  });
  const torch::Tensor errors =  // [critics, B]
      torch::stack(Errors({values.begin(), values.end()}, actions, targets));
  out.losses = losses(errors);
  out.absolute = errors.abs().mean(0);
  out.values = errors.mean(0) + targets;
  return out;
}

}  // namespace

void BootstrapTargets(const torch::Tensor& rewards, const torch::Tensor& discounts,
                      const torch::Tensor& next_values, torch::Tensor& targets) {
  Reserve(targets, rewards.sizes(), rewards.device());
  CADRE_CHECK(discounts.sizes() == rewards.sizes() && next_values.sizes() == rewards.sizes());
  torch::addcmul_out(targets, rewards, discounts, next_values);
}

void MinimumOfCritics(absl::Span<const torch::Tensor> values, torch::Tensor& minimum) {
  CADRE_CHECK(!values.empty());
  Reserve(minimum, values[0].sizes(), values[0].device());
  if (values.size() == 1) minimum.copy_(values[0]);
  for (size_t i = 1; i < values.size(); ++i)
    torch::minimum_out(minimum, i == 1 ? values[0] : minimum, values[i]);
}

void MinimumGradient(absl::Span<const torch::Tensor> values, double scale, bool fast,
                     std::vector<torch::Tensor>& gradients) {
  CADRE_CHECK(!values.empty());
  if (!fast) {
    gradients = LossGradient(values, [&](const std::vector<torch::Tensor>& critics) {
      return scale * std::get<0>(torch::stack(critics).min(0)).sum();
    });
    return;
  }
  ReserveEach(values, gradients);
  const int64_t size = values[0].numel();
  for (size_t i = 0; i < values.size(); ++i) {
    const float* own = Flat(values[i]).data();
    float* gradient = Flat(gradients[i]).data();
    std::fill_n(gradient, size, static_cast<float>(scale));
    for (size_t other = 0; other < values.size(); ++other) {
      if (other == i) continue;
      const float* rival = Flat(values[other]).data();
      for (int64_t b = 0; b < size; ++b)
        if (rival[b] < own[b] || (rival[b] == own[b] && other < i)) gradient[b] = 0;
    }
  }
}

void ComputeCriticErrors(absl::Span<const torch::Tensor> values, const torch::Tensor& actions,
                         const torch::Tensor& targets, const torch::Tensor& weights, bool fast,
                         CriticErrors& out) {
  CADRE_CHECK(!values.empty());
  const int64_t batch = values[0].size(0);
  const int64_t width = values[0].size(1);
  CADRE_CHECK(actions.defined() ? actions.size(0) == batch : width == 1);
  CADRE_CHECK(targets.size(0) == batch && weights.size(0) == batch);
  if (!fast) {
    out = ErrorsByAutograd(values, actions, targets, weights);
    return;
  }
  ReserveEach(values, out.gradients);
  for (torch::Tensor* rows : {&out.losses, &out.absolute, &out.values}) {
    Reserve(*rows, {batch});
    rows->zero_();
  }
  const int64_t* action = actions.defined() ? actions.data_ptr<int64_t>() : nullptr;
  const float* target = Flat(targets).data();
  const float* weight = Flat(weights).data();
  float* losses = Flat(out.losses).data();
  float* absolute = Flat(out.absolute).data();
  float* mean_value = Flat(out.values).data();
  const float share = 1.0f / static_cast<float>(values.size());
  const float slope = 2.0f / static_cast<float>(batch);
  for (size_t i = 0; i < values.size(); ++i) {
    const float* value = Flat(values[i]).data();
    float* gradient = Flat(out.gradients[i]).data();
    if (width > 1) std::fill_n(gradient, batch * width, 0.0f);
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t at = b * width + (action != nullptr ? action[b] : 0);
      const float error = value[at] - target[b];
      gradient[at] = slope * weight[b] * error;
      losses[b] += weight[b] * error * error;
      absolute[b] += share * std::abs(error);
      mean_value[b] += share * value[at];
    }
  }
}

void CopyPriorities(const CriticErrors& errors, absl::Span<float> priorities) {
  if (priorities.empty()) return;
  const torch::Tensor absolute = errors.absolute.cpu();
  CADRE_CHECK(static_cast<int64_t>(priorities.size()) == absolute.numel());
  const absl::Span<const float> from = Flat(absolute);
  std::copy(from.begin(), from.end(), priorities.begin());
}

}  // namespace cadre
