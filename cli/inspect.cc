#include <cstdio>

#include "absl/strings/str_format.h"
#include "cli/commands.h"
#include "common/config/config.h"
#include "common/status_macros.h"
#include "envs/experiment.h"
#include "envs/registry.h"
#include "policy/acting/acting_policy.h"

namespace cadre {

absl::Status ListEnvironments() {
  std::printf("%-26s %-34s %-18s %6s %10s\n", "id", "observation", "action", "steps", "solved at");
  for (const EnvironmentSpec& spec : RegisteredEnvironments()) {
    std::printf("%-26s %-34s %-18s %6lld %10s\n", spec.id.c_str(),
                Describe(spec.observation).c_str(), Describe(spec.action).c_str(),
                static_cast<long long>(spec.max_episode_steps),
                spec.reward_threshold == spec.reward_threshold
                    ? absl::StrFormat("%.1f", spec.reward_threshold).c_str()
                    : "-");
  }
  return absl::OkStatus();
}

absl::Status CheckConfig(const ConfigCheckOptions& options) {
  CADRE_ASSIGN_OR_RETURN(const Experiment experiment,
                         LoadExperiment(options.config, options.overrides));
  // The network fits what the environment shows.
  CADRE_RETURN_IF_ERROR(MakeActingPolicy(experiment.config, experiment.environment.observation,
                                         experiment.environment.action)
                            .status());
  std::printf("%s", ConfigText(experiment.config).c_str());
  return absl::OkStatus();
}

}  // namespace cadre
