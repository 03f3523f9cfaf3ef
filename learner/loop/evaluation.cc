#include "learner/loop/evaluation.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "envs/registry.h"
#include "policy/acting/acted.h"
#include "policy/acting/acting_policy.h"

namespace cadre {

absl::StatusOr<Evaluation> Evaluate(const ExperimentConfig& config,
                                    const v1::Parameters& parameters,
                                    const EvaluationOptions& options) {
  CADRE_ASSIGN_OR_RETURN(auto environments,
                         MakeVectorEnvironment(config.environment().id(), options.episodes,
                                               config.environment().max_episode_steps()));
  const EnvironmentSpec& spec = environments->spec();
  const int64_t limit = config.environment().max_episode_steps() > 0
                            ? config.environment().max_episode_steps()
                            : spec.max_episode_steps;
  if (limit == 0)
    return absl::InvalidArgumentError(
        absl::StrCat("environment '", spec.id,
                     "' has no time limit, so an evaluation may never end; set "
                     "environment.max_episode_steps"));
  CADRE_ASSIGN_OR_RETURN(auto policy, MakeActingPolicy(config, spec.observation, spec.action));
  CADRE_RETURN_IF_ERROR(policy->Load(parameters));

  const int64_t n = options.episodes;
  Random random(options.seed);
  CADRE_RETURN_IF_ERROR(environments->Reset(random()));
  std::vector<std::byte> actions(n * spec.action.bytes());
  std::vector<double> returns(n, 0.0);
  std::vector<int64_t> lengths(n, 0);
  std::vector<bool> over(n, false);
  int64_t running = n;
  // Where it explores, as at the end of a run.
  const ActMode mode{.greedy = !options.stochastic, .progress = 1};
  const ActedBy acted_by{.version = policy->version(), .env_steps = parameters.env_steps()};
  while (running > 0) {
    if (options.stop && options.stop())
      return absl::CancelledError("the evaluation was stopped before its end");
    const ShownBlocks shown = environments->observations();
    CADRE_RETURN_IF_ERROR(CheckMasks(spec.action, spec.id, shown, lengths));
    policy->Act(shown, mode, random, absl::MakeSpan(actions), /*log_probs=*/{});
    CADRE_RETURN_IF_ERROR(CheckActed(spec.action, actions, /*log_probs=*/{}, acted_by));
    CADRE_RETURN_IF_ERROR(environments->Step(actions));
    for (int64_t i = 0; i < n; ++i) {
      if (over[i]) continue;
      returns[i] += environments->rewards()[i];
      ++lengths[i];
      if (environments->terminated()[i] | environments->truncated()[i]) {
        over[i] = true;
        --running;
      }
    }
  }

  Evaluation result;
  result.episodes = n;
  for (int64_t i = 0; i < n; ++i) {
    result.mean_return += returns[i] / static_cast<double>(n);
    result.mean_length += static_cast<double>(lengths[i]) / static_cast<double>(n);
  }
  double squares = 0;
  for (double r : returns) squares += (r - result.mean_return) * (r - result.mean_return);
  result.std_return = std::sqrt(squares / static_cast<double>(n));
  return result;
}

}  // namespace cadre
