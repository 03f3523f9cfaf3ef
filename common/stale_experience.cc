#include "common/stale_experience.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config.h"
#include "common/replay_config.h"
#include "google/protobuf/descriptor.h"

namespace cadre {
namespace {

// The algorithms that may have it.
std::string Those() {
  const auto* oneof = ExperimentConfig::descriptor()->FindOneofByName("algorithm");
  std::vector<std::string> names;
  for (int i = 0; i < oneof->field_count(); ++i) {
    ExperimentConfig config;
    config.GetReflection()->MutableMessage(&config, oneof->field(i));
    if (LearnsFromStaleExperience(config)) names.push_back(oneof->field(i)->name());
  }
  return absl::StrJoin(names, ", ");
}

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
      ", which does not correct for experience of older policies; these may have it: ", Those());
  const ActorsConfig& actors = config.actors();
  if (actors.mode() == ActorsConfig::ASYNCHRONOUS)
    errors->Add(absl::StrCat("actors.mode: got ASYNCHRONOUS; wanted LOCKSTEP", why));
  if (actors.delay_versions() > 0)
    errors->Add(
        absl::StrCat("actors.delay_versions: got ", actors.delay_versions(), "; wanted 0", why));
}

}  // namespace cadre
