// Temperature on a device, without waiting for it; see temperature.h. Not thread-safe.
#pragma once

#include <cmath>
#include <string>

#include "absl/status/status.h"
#include "common/status_macros.h"
#include "learner/algorithms/on_device/tensor_adam.h"
#include "proto/config.pb.h"

namespace cadre {

class DeviceTemperature {
 public:
  DeviceTemperature(const SacConfig& config, double default_target, torch::Device device)
      : target_entropy_(config.has_target_entropy() ? config.target_entropy() : default_target),
        most_log_alpha_(std::log(config.max_temperature())),
        learned_(config.learn_temperature() && config.temperature_learning_rate() > 0),
        log_alpha_(torch::full({1}, std::log(config.temperature()),
                               torch::dtype(torch::kFloat32).device(device))),
        adam_(1, config.adam_epsilon(), device) {
    adam_.SetLearningRate(config.temperature_learning_rate());
  }

  torch::Tensor value() const { return log_alpha_.exp().squeeze(0); }  // []

  // One step, from the policy's mean entropy [] in nats. Nothing where it is constant.
  void Update(const torch::Tensor& entropy) {
    if (!learned_) return;
    adam_.Step(log_alpha_, log_alpha_.exp() * (entropy - target_entropy_));
    log_alpha_.clamp_max_(most_log_alpha_);
  }

  // As Temperature's.
  void Save(const std::string& name, TensorMap& state) const {
    state.AddScalar<float>(name + ".log", log_alpha_.item<float>());
    adam_.Save(name + ".adam", state);
  }
  absl::Status Restore(const std::string& name, const TensorMap& state) {
    const absl::StatusOr<float> log_alpha = state.ReadScalar<float>(name + ".log");
    if (!log_alpha.ok()) return absl::DataLossError(log_alpha.status().message());
    CADRE_RETURN_IF_ERROR(adam_.Restore(name + ".adam", state));
    log_alpha_.fill_(*log_alpha);
    return absl::OkStatus();
  }

 private:
  const double target_entropy_;
  const double most_log_alpha_;
  const bool learned_;
  torch::Tensor log_alpha_;  // [1]
  TensorAdam adam_;
};

}  // namespace cadre
