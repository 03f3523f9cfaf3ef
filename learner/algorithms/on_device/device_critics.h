// The critics of DDPG, TD3 and SAC on a device: K networks of observation and action that
// run as one. What critic_loss.h says, in few operations. Not thread-safe.
#pragma once

#include <string>
#include <vector>

#include <torch/types.h>

#include "absl/types/span.h"
#include "learner/algorithms/on_device/device_networks.h"
#include "policy/off_policy_network.h"

namespace cadre {

class DeviceCritics {
 public:
  DeviceCritics(const CriticNetworks& critics, const std::vector<float>& initial,
                double adam_epsilon, double learning_rate, torch::Device device);

  // min_i Q'_i of `input` [B, O + A]; [B].
  torch::Tensor LeastTarget(const torch::Tensor& input);

  // The gradient of the mean of w sum_i (Q_i - y)^2, for networks().Step(). `targets` y and
  // `weights` w [B].
  void ComputeGradient(const torch::Tensor& input, const torch::Tensor& targets,
                       const torch::Tensor& weights);

  // With respect to `input`, of the sum of -`share` times min_i Q_i [B], or Q_1 [B], which
  // `value` is set to. Returns [B, O + A].
  torch::Tensor DescendLeast(const torch::Tensor& input, double share, torch::Tensor& value);
  torch::Tensor DescendFirst(const torch::Tensor& input, double share, torch::Tensor& value);

  // Of the last ComputeGradient: priorities, mean_i |e_i|; none where the span is empty.
  void CopyPriorities(absl::Span<float> priorities) const;
  double MeanLoss() const;   // Of w sum_i e_i^2.
  double MeanValue() const;  // Of Q_i(s, a), over critics too.

  DeviceNetworks& networks() { return networks_; }
  const DeviceNetworks& networks() const { return networks_; }

 private:
  // [K, B], of outputs [K, B, 1], or [B, 1] where K is 1.
  torch::Tensor ByCritic(const torch::Tensor& outputs) const;

  const int64_t count_;  // K
  DeviceNetworks networks_;
  TensorMlp first_;  // Q_1 alone, of the same parameters.
  // Of the last ComputeGradient.
  torch::Tensor errors_;   // [K, B] e_i
  torch::Tensor targets_;  // [B]
  torch::Tensor weights_;  // [B]
};

}  // namespace cadre
