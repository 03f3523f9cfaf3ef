// Networks of one shape that learn on a device: parameters, the Adam that moves them and,
// where wanted, the targets that follow. TrainedNetworks' twin: what either saves the
// other reads. Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "absl/status/status.h"
#include "learner/algorithms/on_device/host_copy.h"
#include "learner/algorithms/on_device/tensor_adam.h"
#include "learner/safetensors.h"
#include "policy/tensor_mlp.h"

namespace cadre {

class DeviceNetworks {
 public:
  enum class Target { kNone, kPolyak };

  // K `networks` of one shape index one vector, which is `initial` [P] at first, as is the
  // target's.
  DeviceNetworks(const std::vector<Mlp>& networks, const std::vector<float>& initial,
                 double adam_epsilon, double learning_rate, Target target, torch::Device device);

  TensorMlp& online() { return online_; }
  TensorMlp& target() { return *target_; }
  // Both [P], on the device.
  const torch::Tensor& parameters() const { return parameters_; }
  const torch::Tensor& gradient() const { return gradient_; }

  // The gradient with respect to the parameters, from that with respect to the last
  // Forward's outputs; it replaces the last one.
  void Backward(const torch::Tensor& output_gradient);
  // One step of Adam along it.
  void Step() { adam_.Step(parameters_, gradient_); }
  // target = rate * online + (1 - rate) * target.
  void MoveTarget(double rate) { target_parameters_.lerp_(parameters_, rate); }

  double GradientNorm() const { return gradient_.norm().item<double>(); }
  HostCopy& host() { return host_; }

  // As TrainedNetworks'.
  void Save(const std::string& name, TensorMap& state) const;
  absl::Status Restore(const std::string& name, const TensorMap& state);
  void SaveParameters(const std::string& name, TensorMap& state) const;
  absl::Status RestoreParameters(const std::string& name, const TensorMap& state);

 private:
  const torch::Tensor parameters_, gradient_;  // [P]
  const torch::Tensor target_parameters_;      // [P], or undefined.
  TensorMlp online_;
  std::optional<TensorMlp> target_;
  TensorAdam adam_;
  HostCopy host_;
};

}  // namespace cadre
