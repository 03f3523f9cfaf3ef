#include "policy/acting_policy.h"

#include <utility>

#include "common/status_macros.h"
#include "policy/action_range.h"
#include "policy/action_value_acting.h"
#include "policy/categorical_acting.h"
#include "policy/continuous_acting.h"
#include "policy/exploration.h"
#include "policy/network.h"
#include "policy/off_policy_network.h"
#include "policy/on_policy_acting.h"

namespace cadre {
namespace {

using Result = absl::StatusOr<std::unique_ptr<ActingPolicy>>;

Result MakeOnPolicy(const ExperimentConfig& config, const ObservationSpace& observation,
                    const ActionSpace& action) {
  CADRE_ASSIGN_OR_RETURN(auto network, MakeActorCritic(config.model(), observation, action));
  return std::make_unique<OnPolicyActing>(std::move(network), config.normalization());
}

Result MakeActionValue(const ModelConfig& model, const DqnConfig& dqn,
                       const ObservationSpace& observation, const ActionSpace& action,
                       const ActingPlace& place) {
  CADRE_ASSIGN_OR_RETURN(auto network, MakeActionValueNetwork(model, dqn, observation, action));
  return std::make_unique<ActionValueActing>(std::move(network),
                                             MakeActionValueExploration(dqn, place));
}

// As DQN's with nothing but this exploration.
DqnConfig PlainDqn(const DqnConfig::EpsilonGreedy& epsilon) {
  DqnConfig config;
  *config.mutable_epsilon_greedy() = epsilon;
  return config;
}

Result MakeDeterministic(const ModelConfig& model, const ActionNoiseConfig& noise,
                         const ObservationSpace& observation, const ActionSpace& action) {
  CADRE_ASSIGN_OR_RETURN(auto network,
                         MakeContinuousPolicy(model, /*gaussian=*/false, observation, action));
  CADRE_ASSIGN_OR_RETURN(auto range, ActionRange::Create(action));
  return std::make_unique<ContinuousActing>(std::move(network), std::move(range),
                                            MakeActionNoise(noise, action.dimensions));
}

Result MakeSoftPolicy(const ModelConfig& model, const ObservationSpace& observation,
                      const ActionSpace& action) {
  if (action.discrete()) {
    CADRE_ASSIGN_OR_RETURN(auto network, MakeDiscretePolicy(model, observation, action));
    return std::make_unique<CategoricalActing>(std::move(network));
  }
  CADRE_ASSIGN_OR_RETURN(auto network,
                         MakeContinuousPolicy(model, /*gaussian=*/true, observation, action));
  CADRE_ASSIGN_OR_RETURN(auto range, ActionRange::Create(action));
  return std::make_unique<ContinuousActing>(std::move(network), std::move(range),
                                            /*noise=*/nullptr);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ActingPolicy>> MakeActingPolicy(const ExperimentConfig& config,
                                                               const ObservationSpace& observation,
                                                               const ActionSpace& action,
                                                               const ActingPlace& place) {
  switch (config.algorithm_case()) {
    case ExperimentConfig::kDqn:
      return MakeActionValue(config.model(), config.dqn(), observation, action, place);
    case ExperimentConfig::kNStepQ:
      return MakeActionValue(config.model(), PlainDqn(config.n_step_q().epsilon_greedy()),
                             observation, action, place);
    case ExperimentConfig::kNStepSarsa:
      return MakeActionValue(config.model(), PlainDqn(config.n_step_sarsa().epsilon_greedy()),
                             observation, action, place);
    case ExperimentConfig::kDdpg:
      return MakeDeterministic(config.model(), config.ddpg().noise(), observation, action);
    case ExperimentConfig::kTd3:
      return MakeDeterministic(config.model(), config.td3().noise(), observation, action);
    case ExperimentConfig::kSac:
      return MakeSoftPolicy(config.model(), observation, action);
    default:
      return MakeOnPolicy(config, observation, action);
  }
}

}  // namespace cadre
