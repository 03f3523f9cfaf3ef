#include "common/experience/stale_experience.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/algorithm_traits.h"
#include "common/config/config.h"

namespace cadre {
bool LearnsFromStaleExperience(const ExperimentConfig& config) {
  return TraitsOf(config).stale_experience();
}

void CheckStaleExperience(const ExperimentConfig& config, ErrorList* errors) {
  const std::string algorithm = AlgorithmName(config);
  if (algorithm.empty() || LearnsFromStaleExperience(config)) return;
  const std::string why = absl::StrCat(
      " for ", algorithm,
      ", which does not correct for experience of older policies; these may have it: ",
      AlgorithmsOf([](const AlgorithmTraits& traits) { return traits.stale_experience(); }));
  const ActorsConfig& actors = config.actors();
  if (actors.mode() == ActorsConfig::ASYNCHRONOUS)
    errors->Add(absl::StrCat("actors.mode: got ASYNCHRONOUS; wanted LOCKSTEP", why));
  if (actors.delay_versions() > 0)
    errors->Add(
        absl::StrCat("actors.delay_versions: got ", actors.delay_versions(), "; wanted 0", why));
}

}  // namespace cadre
