#include "envs/experiment.h"

#include <utility>

#include "common/config.h"
#include "common/config_effects.h"
#include "common/status_macros.h"
#include "envs/registry.h"

namespace cadre {

EnvironmentCatalog BuiltInCatalog() {
  EnvironmentCatalog catalog;
  for (const EnvironmentSpec& spec : RegisteredEnvironments())
    catalog.entries.push_back({spec.id, spec.action.discrete()});
  return catalog;
}

absl::StatusOr<Experiment> LoadExperiment(const std::string& path,
                                          const std::vector<std::string>& overrides,
                                          std::optional<uint64_t> seed) {
  Experiment experiment;
  CADRE_ASSIGN_OR_RETURN(ExperimentConfig config, LoadConfig(path, overrides));
  if (seed.has_value()) config.set_seed(*seed);
  CADRE_RETURN_IF_ERROR(ValidateConfig(config, BuiltInCatalog()));
  experiment.config = ResolveConfig(std::move(config));
  CADRE_ASSIGN_OR_RETURN(experiment.environment,
                         FindEnvironment(experiment.config.environment().id()));
  ClearWithoutEffect(experiment.environment.action.discrete(), &experiment.config);
  return experiment;
}

}  // namespace cadre
