// What TD3, DDPG and SAC of continuous actions have alike on a device: a policy, its
// critics and the batch that they learn from. Not thread-safe.
#pragma once

#include <string>
#include <vector>

#include <torch/types.h>

#include "learner/algorithms/critic_input.h"
#include "learner/algorithms/off_policy.h"
#include "learner/algorithms/on_device/device_critics.h"
#include "learner/algorithms/on_device/device_networks.h"
#include "learner/algorithms/on_device/device_options.h"
#include "learner/algorithms/on_device/normal_source.h"
#include "learner/algorithms/on_device/static_batch.h"
#include "policy/off_policy_network.h"

namespace cadre {

// What their configurations say of Adam.
struct ActorCriticAdam {
  template <typename Config>
  explicit ActorCriticAdam(const Config& config)
      : policy_learning_rate(config.policy_learning_rate()),
        value_learning_rate(config.value_learning_rate()),
        epsilon(config.adam_epsilon()) {}

  double policy_learning_rate, value_learning_rate, epsilon;
};

class DeviceActorCritic : public OffPolicyAlgorithm {
 public:
  const ParameterLayout& acting_layout() const override { return network_.layout; }
  torch::Tensor acting_parameters() override { return policy_.host().Get(); }
  void ActingParametersChanged() override { policy_.host().Push(); }

 protected:
  // `random` draws the policy's initial parameters, the critics', then the noise.
  DeviceActorCritic(const ContinuousActorCritic& networks, Random random,
                    const ActorCriticAdam& adam, DeviceNetworks::Target policy_target,
                    const DeviceOptions& options);

  // The networks; the noise is the algorithm's, which may have none.
  void SaveNetworks(TensorMap& state) const;
  absl::Status RestoreNetworks(const TensorMap& state);

  // `noise` becomes this learner's rows of the next normal numbers, [B, A].
  void DrawNoise(int64_t batch_size, torch::Tensor& noise);
  // The batch's observations, its actions and its next observations become the critics' input.
  void SetCriticInputs();
  // The columns [B, A] of actions, of a gradient [B, O + A] with respect to that input.
  torch::Tensor OfActions(const torch::Tensor& input_gradient) const;

  const ContinuousPolicyNetwork network_;
  NormalSource noise_source_;
  DeviceNetworks policy_;  // What it gives is before tanh.
  DeviceCritics critics_;  // And their targets.
  CriticInput input_, next_input_;
  StaticBatch batch_;

 private:
  struct Initial {
    std::vector<float> policy, critics;
    Random random;  // After these.
  };

  static Initial Draw(const ContinuousActorCritic& networks, Random random);
  DeviceActorCritic(const ContinuousActorCritic& networks, const Initial& initial,
                    const ActorCriticAdam& adam, DeviceNetworks::Target policy_target,
                    const DeviceOptions& options);
};

}  // namespace cadre
