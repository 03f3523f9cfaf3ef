#include "learner/algorithms/actor_critic/redq.h"

#include "learner/algorithms/actor_critic/sac.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeRedq(
    const RedqConfig& config, const ModelConfig& model, const ObservationSpace& observation,
    const ActionSpace& action, Random random, const DeviceOptions& where) {
  SacSettings settings = SacSettings::Of(config, action);
  settings.critics = config.critics();
  settings.subset = config.subset();
  settings.policy_delay = config.policy_delay();
  settings.mean_value = true;
  return MakeContinuousSac(settings, model, observation, action, random, where);
}

}  // namespace cadre
