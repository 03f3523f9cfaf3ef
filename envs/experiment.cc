#include "envs/experiment.h"

#include <utility>

#include "common/config/config.h"
#include "common/config/config_effects.h"
#include "common/status_macros.h"
#include "envs/registry.h"

namespace cadre {
namespace {

StepBytes BytesOf(const EnvironmentSpec& spec) {
  StepBytes bytes{.action = spec.action.bytes(), .observation_columns = 0};
  for (const ObservationColumn& column : ShownColumns(spec.observation, spec.action)) {
    bytes.observation += column.bytes();
    ++bytes.observation_columns;
  }
  return bytes;
}

// Of a valid one.
absl::StatusOr<Experiment> Complete(ExperimentConfig given) {
  Experiment experiment;
  experiment.given = std::move(given);
  experiment.config = ResolveConfig(experiment.given);
  CADRE_ASSIGN_OR_RETURN(experiment.environment,
                         FindEnvironment(experiment.config.environment().id()));
  ClearWithoutEffect(experiment.environment.action.discrete(), &experiment.config);
  return experiment;
}

}  // namespace

EnvironmentCatalog BuiltInCatalog() {
  EnvironmentCatalog catalog;
  for (const EnvironmentSpec& spec : RegisteredEnvironments())
    catalog.entries.push_back(
        {spec.id, spec.action.discrete(), BytesOf(spec),
         spec.action.discrete() && spec.action.kind != ActionSpace::Kind::kDiscrete,
         spec.observation.floats() > 0});
  return catalog;
}

absl::StatusOr<Experiment> LoadExperiment(const std::string& path,
                                          const std::vector<std::string>& overrides,
                                          std::optional<uint64_t> seed) {
  CADRE_ASSIGN_OR_RETURN(ExperimentConfig given, LoadConfig(path, overrides));
  if (seed.has_value()) given.set_seed(*seed);
  return CompleteExperiment(std::move(given));
}

absl::StatusOr<Experiment> CompleteExperiment(ExperimentConfig given) {
  CADRE_RETURN_IF_ERROR(ValidateConfig(given, BuiltInCatalog()));
  return Complete(std::move(given));
}

absl::StatusOr<Experiment> CompleteForActing(ExperimentConfig given) {
  CADRE_RETURN_IF_ERROR(ValidateForActing(given, BuiltInCatalog()));
  return Complete(std::move(given));
}

}  // namespace cadre
