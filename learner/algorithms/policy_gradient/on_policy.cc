#include "learner/algorithms/policy_gradient/on_policy.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "learner/algorithms/optimization/gradient_descent.h"
#include "learner/algorithms/policy_gradient/a2c.h"
#include "learner/algorithms/policy_gradient/impala.h"
#include "learner/algorithms/policy_gradient/off_policy_gradient.h"
#include "learner/algorithms/policy_gradient/ppo.h"
#include "learner/algorithms/policy_gradient/reinforce.h"
#include "learner/algorithms/trust_region/npg.h"
#include "learner/algorithms/trust_region/trpo.h"

namespace cadre {

absl::StatusOr<std::unique_ptr<OnPolicyAlgorithm>> MakeOnPolicyAlgorithm(
    const ExperimentConfig& config, std::unique_ptr<ActorCritic> model, Random random,
    const DeviceOptions& where) {
  switch (config.algorithm_case()) {
    case ExperimentConfig::kPpo:
      return MakePpo(config.ppo(), std::move(model), random, where);
    case ExperimentConfig::kReinforce:
      return MakeGradientDescent(MakeReinforceGradient(config.reinforce(), std::move(model)),
                                 config.reinforce().optimizer());
    case ExperimentConfig::kA2C:
      return MakeGradientDescent(MakeA2cGradient(A2cOptionsOf(config.a2c()), std::move(model)),
                                 config.a2c().optimizer());
    case ExperimentConfig::kImpala:
      return MakeGradientDescent(MakeImpala(config.impala(), std::move(model)),
                                 config.impala().optimizer());
    case ExperimentConfig::kOffPolicyGradient:
      return MakeGradientDescent(
          MakeOffPolicyGradient(config.off_policy_gradient(), std::move(model)),
          config.off_policy_gradient().optimizer());
    case ExperimentConfig::kNpg:
      return MakeNpg(config.npg(), std::move(model), random, where);
    case ExperimentConfig::kTrpo:
      return MakeTrpo(config.trpo(), std::move(model), random, where);
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("algorithm '", AlgorithmName(config), "' does not learn from the queue"));
  }
}

}  // namespace cadre
