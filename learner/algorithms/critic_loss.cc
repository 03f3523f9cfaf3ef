#include "learner/algorithms/critic_loss.h"

#include <algorithm>
#include <cmath>

#include "common/check.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

void ReserveEach(absl::Span<const torch::Tensor> like, std::vector<torch::Tensor>& buffers) {
  buffers.resize(like.size());
  for (size_t i = 0; i < like.size(); ++i) Reserve(buffers[i], like[i].sizes());
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

void MinimumGradient(absl::Span<const torch::Tensor> values, double scale,
                     std::vector<torch::Tensor>& gradients) {
  CADRE_CHECK(!values.empty());
  if (!values[0].device().is_cpu()) {
    gradients = MinimumGradientOfTensors(values, scale);
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
                         const torch::Tensor& targets, const torch::Tensor& weights,
                         CriticErrors& out) {
  CADRE_CHECK(!values.empty());
  const int64_t batch = values[0].size(0);
  const int64_t width = values[0].size(1);
  CADRE_CHECK(actions.defined() ? actions.size(0) == batch : width == 1);
  CADRE_CHECK(targets.size(0) == batch && weights.size(0) == batch);
  if (!values[0].device().is_cpu()) {
    out = CriticErrorsOfTensors(values, actions, targets, weights);
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

std::vector<torch::Tensor> MinimumGradientOfTensors(absl::Span<const torch::Tensor> values,
                                                    double scale) {
  std::vector<torch::Tensor> gradients;
  for (size_t i = 0; i < values.size(); ++i) {
    torch::Tensor least = torch::ones_like(values[i], torch::kBool);
    for (size_t other = 0; other < values.size(); ++other) {
      if (other < i) least &= values[i] < values[other];
      if (other > i) least &= values[i] <= values[other];
    }
    gradients.push_back(least.to(torch::kFloat32) * scale);
  }
  return gradients;
}

CriticErrors CriticErrorsOfTensors(absl::Span<const torch::Tensor> values,
                                   const torch::Tensor& actions, const torch::Tensor& targets,
                                   const torch::Tensor& weights) {
  CriticErrors out;
  const double critics = static_cast<double>(values.size());
  const int64_t batch = targets.size(0);
  const torch::Tensor columns =
      actions.defined()
          ? actions.unsqueeze(1)
          : torch::zeros({batch, 1}, torch::TensorOptions(torch::kInt64).device(targets.device()));
  out.losses = out.absolute = out.values = torch::zeros_like(targets);
  for (const torch::Tensor& value : values) {
    const torch::Tensor chosen = value.gather(1, columns).squeeze(1);
    const torch::Tensor error = chosen - targets;
    const torch::Tensor slope = weights * error * (2.0 / static_cast<double>(batch));
    out.gradients.push_back(torch::zeros_like(value).scatter(1, columns, slope.unsqueeze(1)));
    out.losses = out.losses + weights * error.square();
    out.absolute = out.absolute + error.abs() / critics;
    out.values = out.values + chosen / critics;
  }
  return out;
}

}  // namespace cadre
