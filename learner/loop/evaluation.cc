#include "learner/loop/evaluation.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "envs/sources.h"
#include "policy/acting/acted.h"
#include "policy/acting/acting_policy.h"

namespace cadre {

namespace {

// Every evaluation ends after so many steps: there are environments without a time limit, and ones
// in which each episode is lost.
constexpr int64_t kLongestEpisode = 100'000;

// Without what changes rewards or episodes for the learner's sake.
EnvironmentConfig EvaluatedIn(EnvironmentConfig environment) {
  if (environment.has_wrappers()) {
    environment.mutable_wrappers()->clear_reward_scale();
    environment.mutable_wrappers()->clear_reward_clip();
  }
  if (environment.has_atari()) {
    environment.mutable_atari()->set_sign_rewards(false);
    environment.mutable_atari()->set_end_on_life_loss(false);
  }
  return environment;
}

}  // namespace

absl::StatusOr<Evaluation> Evaluate(const ExperimentConfig& config,
                                    const v1::Parameters& parameters,
                                    const EvaluationOptions& options) {
  CADRE_ASSIGN_OR_RETURN(auto environments, MakeVectorEnvironment(EvaluatedIn(config.environment()),
                                                                  options.episodes));
  const EnvironmentSpec& spec = environments->spec();
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
  for (int64_t step = 0; running > 0 && step < kLongestEpisode; ++step) {
    if (options.stop && options.stop())
      return absl::CancelledError("the evaluation was stopped before its end");
    const ShownBlocks shown = environments->observations();
    CADRE_RETURN_IF_ERROR(CheckMasks(spec.action, spec.id, shown, lengths));
    policy->Act(shown, mode, random, absl::MakeSpan(actions), /*log_probs=*/{});
    CADRE_RETURN_IF_ERROR(CheckActed(spec.action, actions, /*log_probs=*/{}, acted_by));
    CADRE_RETURN_IF_ERROR(environments->Step(actions));
    for (int64_t i = 0; i < n; ++i) {
      if (over[i]) continue;
      if (!environments->skipped().empty() && environments->skipped()[i]) {
        // The episode is lost; the next one counts.
        returns[i] = 0;
        lengths[i] = 0;
        policy->EndEpisode(i);
        continue;
      }
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
