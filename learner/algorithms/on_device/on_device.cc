#include "learner/algorithms/on_device/on_device.h"

#include <utility>

#include "learner/algorithms/sac.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<OnPolicyAlgorithm>> MakeOnPolicyOnDevice(
    const ExperimentConfig& config, std::unique_ptr<ActorCritic> model, Random random,
    const DeviceOptions& options) {
  if (config.algorithm_case() != ExperimentConfig::kPpo)
    return absl::UnimplementedError(
        "on-policy on other devices than the CPU: wanted ppo; train this one with --device=cpu");
  if (config.ppo().objective() != PpoConfig::CLIPPED)
    return absl::UnimplementedError(
        "ppo.objective on other devices than the CPU: got ADAPTIVE_KL; wanted CLIPPED");
  return MakePpoOnDevice(config.ppo(), std::move(model), random, options);
}

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeOffPolicyOnDevice(
    const ExperimentConfig& config, const ObservationSpace& observation, const ActionSpace& action,
    Random random, const DeviceOptions& options) {
  const ModelConfig& model = config.model();
  switch (config.algorithm_case()) {
    case ExperimentConfig::kDqn:
      return MakeDqnOnDevice(config.dqn(), model, observation, action, random, options);
    case ExperimentConfig::kDdpg:
      return MakeDdpgOnDevice(config.ddpg(), model, observation, action, random, options);
    case ExperimentConfig::kTd3:
      return MakeTd3OnDevice(config.td3(), model, observation, action, random, options);
    case ExperimentConfig::kSac:
      // Of discrete actions: the CPU's, whose formulas know both, eagerly.
      if (action.discrete())
        return MakeDiscreteSac(config.sac(), model, observation, action, random, options.device);
      return MakeSacOnDevice(config.sac(), model, observation, action, random, options);
    default:
      return absl::UnimplementedError(
          "with replay on other devices than the CPU: wanted one of dqn, ddpg, td3, sac; train "
          "this one with --device=cpu");
  }
}

}  // namespace cadre
