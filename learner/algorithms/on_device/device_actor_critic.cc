#include "learner/algorithms/on_device/device_actor_critic.h"

#include <utility>

#include "common/status_macros.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {

DeviceActorCritic::Initial DeviceActorCritic::Draw(const ContinuousActorCritic& networks,
                                                   Random random) {
  const auto& [policy, critics] = networks;
  auto of_policy = UniformInitialParameters({policy.policy}, policy.layout.size(), random);
  auto of_critics = UniformInitialParameters(critics.critics, critics.layout.size(), random);
  return {std::move(of_policy), std::move(of_critics), random};
}

DeviceActorCritic::DeviceActorCritic(const ContinuousActorCritic& networks, Random random,
                                     const ActorCriticAdam& adam,
                                     DeviceNetworks::Target policy_target,
                                     const DeviceOptions& options)
    : DeviceActorCritic(networks, Draw(networks, random), adam, policy_target, options) {}

DeviceActorCritic::DeviceActorCritic(const ContinuousActorCritic& networks, const Initial& initial,
                                     const ActorCriticAdam& adam,
                                     DeviceNetworks::Target policy_target,
                                     const DeviceOptions& options)
    : network_(networks.policy),
      noise_source_(initial.random, options),
      policy_({network_.policy}, initial.policy, adam.epsilon, adam.policy_learning_rate,
              policy_target, options.device),
      critics_(networks.critics, initial.critics, adam.epsilon, adam.value_learning_rate,
               options.device),
      input_(network_.observation_size, network_.action, options.device),
      next_input_(network_.observation_size, network_.action, options.device),
      batch_(options.device) {}

void DeviceActorCritic::SaveNetworks(TensorMap& state) const {
  policy_.Save("policy", state);
  critics_.networks().Save("critics", state);
  critics_.networks().SaveParameters("critics", state);
}

absl::Status DeviceActorCritic::RestoreNetworks(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(policy_.Restore("policy", state));
  CADRE_RETURN_IF_ERROR(critics_.networks().Restore("critics", state));
  return critics_.networks().RestoreParameters("critics", state);
}

void DeviceActorCritic::DrawNoise(int64_t batch_size, torch::Tensor& noise) {
  Reserve(noise, {batch_size, network_.action.dimensions}, policy_.parameters().device());
  noise_source_.FillShare(collective(), noise);
}

void DeviceActorCritic::SetCriticInputs() {
  const OffPolicyBatch& batch = batch_.get();
  input_.SetObservations(batch.observations);
  input_.SetEnvironmentActions(batch.actions);
  next_input_.SetObservations(batch.next_observations);
}

torch::Tensor DeviceActorCritic::OfActions(const torch::Tensor& input_gradient) const {
  return input_gradient.narrow(1, network_.observation_size, network_.action.dimensions);
}

}  // namespace cadre
