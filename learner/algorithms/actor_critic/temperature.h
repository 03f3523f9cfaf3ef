// The temperature of soft actor-critic: how much a nat of entropy is worth. Constant, or
// learned so that the policy's entropy meets a target (Haarnoja et al. 2018,
// arXiv:1812.05905, eq. 18): J(alpha) = alpha (H - target), whose gradient with respect
// to log alpha, which Adam moves, is the same. It stays within a bound: a target that no
// policy can have would raise it for ever. Works on any device and does not wait for it.
#pragma once

#include <string>

#include <torch/types.h>

#include "absl/status/status.h"
#include "learner/algorithms/device/device_options.h"
#include "learner/algorithms/optimization/flat_adam.h"
#include "learner/run_folder/safetensors.h"
#include "proto/config.pb.h"

namespace cadre {

class Temperature {
 public:
  // The settings that the configs of maximum-entropy algorithms have in common.
  struct Settings {
    double initial, learning_rate, most, target_entropy, adam_epsilon;
    bool learned;

    // `default_target`: the entropy in nats if the config sets none.
    template <typename Config>
    static Settings Of(const Config& config, double default_target) {
      return {
          .initial = config.temperature(),
          .learning_rate = config.temperature_learning_rate(),
          .most = config.max_temperature(),
          .target_entropy = config.has_target_entropy() ? config.target_entropy() : default_target,
          .adam_epsilon = config.adam_epsilon(),
          .learned = config.learn_temperature()};
    }
  };
  Temperature(const Settings& settings, const DeviceOptions& where);

  // [] float32; always the same tensor, which Update changes.
  torch::Tensor value() const { return alpha_; }
  bool learned() const { return learned_; }

  // One step, from the policy's mean entropy [] in nats, or less if it ends at the bound.
  // Does nothing if the temperature is constant.
  void Update(const torch::Tensor& entropy);

  void Save(const std::string& name, TensorMap& state) const;
  absl::Status Restore(const std::string& name, const TensorMap& state);

 private:
  void SetValue();  // Sets alpha_ from log_alpha_.

  const double target_entropy_;
  const double most_log_alpha_;
  const bool learned_;
  const bool fast_;                // On the CPU.
  const torch::Tensor log_alpha_;  // [1] float32
  const torch::Tensor alpha_;      // [] float32
  FlatAdam adam_;
};

}  // namespace cadre
