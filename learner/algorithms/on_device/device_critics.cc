#include "learner/algorithms/on_device/device_critics.h"

#include <algorithm>

#include "common/check.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {

DeviceCritics::DeviceCritics(const CriticNetworks& critics, const std::vector<float>& initial,
                             double adam_epsilon, double learning_rate, torch::Device device)
    : count_(static_cast<int64_t>(critics.critics.size())),
      networks_(critics.critics, initial, adam_epsilon, learning_rate,
                DeviceNetworks::Target::kPolyak, device),
      first_({critics.critics[0]}, networks_.parameters(), networks_.gradient()) {}

torch::Tensor DeviceCritics::ByCritic(const torch::Tensor& outputs) const {
  return outputs.squeeze(-1).view({count_, -1});
}

torch::Tensor DeviceCritics::LeastTarget(const torch::Tensor& input) {
  return ByCritic(networks_.target().Forward(input)).amin(0);
}

void DeviceCritics::ComputeGradient(const torch::Tensor& input, const torch::Tensor& targets,
                                    const torch::Tensor& weights) {
  const torch::Tensor outputs = networks_.online().Forward(input);
  targets_ = targets;
  weights_ = weights;
  errors_ = ByCritic(outputs) - targets;
  const double scale = 2.0 / static_cast<double>(targets.size(0));
  networks_.Backward((errors_ * (weights * scale)).view(outputs.sizes()));
}

torch::Tensor DeviceCritics::DescendLeast(const torch::Tensor& input, double share,
                                          torch::Tensor& value) {
  const torch::Tensor outputs = networks_.online().Forward(input);
  const auto [least, index] = ByCritic(outputs).min(0, /*keepdim=*/true);  // [1, B], the first.
  value = least.squeeze(0);
  torch::Tensor gradient = torch::zeros_like(outputs);
  gradient.view({count_, -1}).scatter_(0, index, -share);
  const torch::Tensor input_gradient =
      networks_.online().Backward(gradient, /*parameter_gradient=*/false, /*input_gradient=*/true);
  return count_ == 1 ? input_gradient : input_gradient.sum(0);
}

torch::Tensor DeviceCritics::DescendFirst(const torch::Tensor& input, double share,
                                          torch::Tensor& value) {
  const torch::Tensor outputs = first_.Forward(input);  // [B, 1]
  value = outputs.squeeze(1);
  return first_.Backward(torch::full_like(outputs, -share), /*parameter_gradient=*/false,
                         /*input_gradient=*/true);
}

void DeviceCritics::CopyPriorities(absl::Span<float> priorities) const {
  if (priorities.empty()) return;
  const torch::Tensor absolute = errors_.abs().mean(0).cpu();
  CADRE_CHECK(static_cast<int64_t>(priorities.size()) == absolute.numel());
  std::ranges::copy(Flat(absolute), priorities.begin());
}

double DeviceCritics::MeanLoss() const {
  if (!errors_.defined()) return Mean({});
  return Mean(weights_ * errors_.square().sum(0));
}

double DeviceCritics::MeanValue() const {
  return errors_.defined() ? Mean(errors_ + targets_) : Mean({});
}

}  // namespace cadre
