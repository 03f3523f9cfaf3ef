// What DDPG, TD3 and SAC share: a policy and its critics in training. Not thread-safe.
#pragma once

#include <torch/types.h>

#include "absl/status/status.h"
#include "common/random.h"
#include "common/spaces.h"
#include "learner/algorithms/device/device_options.h"
#include "learner/algorithms/optimization/trained_model.h"
#include "learner/run_folder/safetensors.h"
#include "policy/networks/network.h"
#include "proto/config.pb.h"

namespace cadre {

// The settings of both optimisers in their configs.
struct LearningSettings {
  template <typename Config>
  explicit LearningSettings(const Config& config)
      : policy_learning_rate(config.policy_learning_rate()),
        value_learning_rate(config.value_learning_rate()),
        schedule(config.learning_rate_schedule()),
        training(TrainedModel::Settings::Of(config)) {}

  double policy_learning_rate, value_learning_rate;
  ScheduleConfig schedule;  // Of both learning rates.
  TrainedModel::Settings training;
};

struct PolicyAndCritics {
  // Draws the initial parameters of the policy and then of the critics from `random`.
  PolicyAndCritics(const Network& policy_network, const Network& critic_networks, Random& random,
                   const LearningSettings& settings, TrainedModel::Target policy_target,
                   const DeviceOptions& where);

  // Sets the learning rates for what is left of the run.
  void SetProgress(double progress);

  // Everything except the policy's parameters, which the run saves.
  void Save(TensorMap& state) const;
  absl::Status Restore(const TensorMap& state);

  const LearningSettings settings;
  TrainedModel policy;
  TrainedModel critics;
};

// Scales actions from their bounds to [-1, 1], as the critics read them.
class ActionScale {
 public:
  // `action` is continuous, its bounds those of an ActionRange.
  ActionScale(const ActionSpace& action, torch::Device device);

  // Sets `scaled` to `actions`, both [B, A].
  void Scale(const torch::Tensor& actions, torch::Tensor& scaled) const;

 private:
  torch::Tensor centre_, inverse_half_range_;  // [A]
};

}  // namespace cadre
