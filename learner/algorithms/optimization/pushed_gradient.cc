#include "learner/algorithms/optimization/pushed_gradient.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/status_macros.h"
#include "learner/algorithms/policy_gradient/a2c.h"
#include "learner/algorithms/value_based/n_step_q.h"

namespace cadre {
namespace {

std::unique_ptr<ActorCritic> WithInitialParameters(const ActorCriticNetwork& network, Random random,
                                                   const DeviceOptions& where) {
  const std::vector<float> initial = InitialParameters(network, random);
  auto model = std::make_unique<ActorCritic>(network, where.runner(), where.device);
  model->parameters().copy_(torch::tensor(initial));
  model->ParametersChanged();
  return model;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchGradient>> MakePushedGradient(
    const ExperimentConfig& config, const ObservationSpace& observation, const ActionSpace& action,
    Random random, const DeviceOptions& where) {
  const auto q = [&](auto& settings, NStepTarget target) {
    return MakeNStepQ({.gamma = settings.gamma(),
                       .target_update_interval = settings.target_update_interval(),
                       .target = target},
                      config.model(), observation, action, random, where);
  };
  switch (config.algorithm_case()) {
    case ExperimentConfig::kA3C: {
      CADRE_ASSIGN_OR_RETURN(auto network, MakeActorCritic(config.model(), observation, action));
      return MakeA2cGradient(A2cOptionsOf(config.a3c()),
                             WithInitialParameters(network, random, where));
    }
    case ExperimentConfig::kNStepQ:
      return q(config.n_step_q(), NStepTarget::kGreatest);
    case ExperimentConfig::kNStepSarsa:
      return q(config.n_step_sarsa(), NStepTarget::kTaken);
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("algorithm '", AlgorithmName(config), "' does not push gradients"));
  }
}

const OptimizerConfig& PushedOptimizer(const ExperimentConfig& config) {
  switch (config.algorithm_case()) {
    case ExperimentConfig::kNStepQ:
      return config.n_step_q().optimizer();
    case ExperimentConfig::kNStepSarsa:
      return config.n_step_sarsa().optimizer();
    default:
      return config.a3c().optimizer();
  }
}

}  // namespace cadre
