#include "policy/acting/acting_policy.h"

#include <utility>

#include "common/check.h"
#include "common/config/algorithm_traits.h"
#include "common/status_macros.h"
#include "policy/acting/action_range.h"
#include "policy/acting/action_value_acting.h"
#include "policy/acting/categorical_acting.h"
#include "policy/acting/continuous_acting.h"
#include "policy/acting/exploration.h"
#include "policy/acting/on_policy_acting.h"
#include "policy/networks/network.h"
#include "policy/networks/off_policy_network.h"

namespace cadre {
namespace {

using Result = absl::StatusOr<std::unique_ptr<ActingPolicy>>;

Result MakeOnPolicy(const ExperimentConfig& config, const ObservationSpace& observation,
                    const ActionSpace& action) {
  CADRE_ASSIGN_OR_RETURN(auto network, MakeActorCritic(config.model(), observation, action));
  return std::make_unique<OnPolicyActing>(std::move(network), config.normalization());
}

Result MakeActionValue(const ExperimentConfig& config, const DqnConfig& dqn,
                       const ObservationSpace& observation, const ActionSpace& action,
                       const ActingPlace& place) {
  CADRE_ASSIGN_OR_RETURN(auto network,
                         MakeActionValueNetwork(config.model(), dqn, observation, action));
  return std::make_unique<ActionValueActing>(std::move(network), config.normalization(),
                                             MakeActionValueExploration(dqn, place));
}

// What the network and the exploration of algorithms with action values depend on: of those that
// push gradients nothing but an epsilon.
DqnConfig ActionValueSettings(const ExperimentConfig& config) {
  if (config.has_dqn()) return config.dqn();
  DqnConfig settings;
  *settings.mutable_epsilon_greedy() = config.has_n_step_q()
                                           ? config.n_step_q().epsilon_greedy()
                                           : config.n_step_sarsa().epsilon_greedy();
  return settings;
}

Result MakeDeterministic(const ExperimentConfig& config, const ObservationSpace& observation,
                         const ActionSpace& action) {
  const ActionNoiseConfig& noise = config.has_td3() ? config.td3().noise() : config.ddpg().noise();
  CADRE_ASSIGN_OR_RETURN(
      auto network, MakeContinuousPolicy(config.model(), /*gaussian=*/false, observation, action));
  CADRE_ASSIGN_OR_RETURN(auto range, ActionRange::Create(action));
  return std::make_unique<ContinuousActing>(std::move(network), config.normalization(),
                                            std::move(range),
                                            MakeActionNoise(noise, action.dimensions));
}

Result MakeSoftPolicy(const ExperimentConfig& config, const ObservationSpace& observation,
                      const ActionSpace& action) {
  if (action.discrete()) {
    CADRE_ASSIGN_OR_RETURN(auto network, MakeDiscretePolicy(config.model(), observation, action));
    return std::make_unique<CategoricalActing>(std::move(network), config.normalization());
  }
  CADRE_ASSIGN_OR_RETURN(
      auto network, MakeContinuousPolicy(config.model(), /*gaussian=*/true, observation, action));
  CADRE_ASSIGN_OR_RETURN(auto range, ActionRange::Create(action));
  return std::make_unique<ContinuousActing>(std::move(network), config.normalization(),
                                            std::move(range), /*noise=*/nullptr);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ActingPolicy>> MakeActingPolicy(const ExperimentConfig& config,
                                                               const ObservationSpace& observation,
                                                               const ActionSpace& action,
                                                               const ActingPlace& place) {
  switch (TraitsOf(config).policy()) {
    case AlgorithmTraits::ACTOR_CRITIC:
      return MakeOnPolicy(config, observation, action);
    case AlgorithmTraits::ACTION_VALUES:
      return MakeActionValue(config, ActionValueSettings(config), observation, action, place);
    case AlgorithmTraits::DETERMINISTIC:
      return MakeDeterministic(config, observation, action);
    case AlgorithmTraits::MAXIMUM_ENTROPY:
      return MakeSoftPolicy(config, observation, action);
  }
  CADRE_CHECK(false);
}

}  // namespace cadre
