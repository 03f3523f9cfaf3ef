#include "learner/algorithms/off_policy.h"

#include "learner/algorithms/actor_critic/ddpg.h"
#include "learner/algorithms/actor_critic/redq.h"
#include "learner/algorithms/actor_critic/sac.h"
#include "learner/algorithms/actor_critic/td3.h"
#include "learner/algorithms/value_based/dqn.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>> MakeOffPolicyAlgorithm(
    const ExperimentConfig& config, const ObservationSpace& observation, const ActionSpace& action,
    Random random, const DeviceOptions& where) {
  const ModelConfig& model = config.model();
  switch (config.algorithm_case()) {
    case ExperimentConfig::kDqn:
      return MakeDqn(config.dqn(), config.replay(), model, observation, action, random, where);
    case ExperimentConfig::kDdpg:
      return MakeDdpg(config.ddpg(), model, observation, action, random, where);
    case ExperimentConfig::kTd3:
      return MakeTd3(config.td3(), model, observation, action, random, where);
    case ExperimentConfig::kSac:
      return MakeSac(config.sac(), model, observation, action, random, where);
    case ExperimentConfig::kRedq:
      return MakeRedq(config.redq(), model, observation, action, random, where);
    default:
      return absl::InvalidArgumentError(
          "the config's algorithm learns on-policy; wanted one of: dqn, ddpg, td3, sac, redq");
  }
}

}  // namespace cadre
