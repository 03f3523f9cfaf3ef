#include "common/stale_experience.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/config.h"
#include "common/replay_config.h"

namespace cadre {
namespace {

constexpr char kThose[] = "ppo, npg, trpo, impala, off_policy_gradient, dqn, ddpg, td3, sac";

}  // namespace

bool LearnsFromStaleExperience(const ExperimentConfig& config) {
  switch (config.algorithm_case()) {
    case ExperimentConfig::kPpo:
    case ExperimentConfig::kNpg:
    case ExperimentConfig::kTrpo:
    case ExperimentConfig::kImpala:
    case ExperimentConfig::kOffPolicyGradient:
      return true;
    default:
      return UsesReplay(config);
  }
}

void CheckStaleExperience(const ExperimentConfig& config, ErrorList* errors) {
  const std::string algorithm = AlgorithmName(config);
  if (algorithm.empty() || LearnsFromStaleExperience(config)) return;
  const std::string why = absl::StrCat(
      " for ", algorithm,
      ", which does not correct for experience of older policies; these may have it: ", kThose);
  const ActorsConfig& actors = config.actors();
  if (actors.mode() == ActorsConfig::ASYNCHRONOUS)
    errors->Add(absl::StrCat("actors.mode: got ASYNCHRONOUS; wanted LOCKSTEP", why));
  if (actors.delay_versions() > 0)
    errors->Add(
        absl::StrCat("actors.delay_versions: got ", actors.delay_versions(), "; wanted 0", why));
}

}  // namespace cadre
