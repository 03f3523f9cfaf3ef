#include "envs/experiment.h"

#include <utility>

#include "common/config/config.h"
#include "common/config/config_effects.h"
#include "common/config/error_list.h"
#include "common/config/field_validation.h"
#include "common/status_macros.h"
#include "envs/registry.h"
#include "envs/sources.h"

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

EnvironmentCatalog::Entry EntryOf(const EnvironmentSpec& spec) {
  const bool discrete = spec.action.discrete();
  return {spec.id, discrete, BytesOf(spec),
          discrete && spec.action.kind != ActionSpace::Kind::kDiscrete,
          spec.observation.floats() > 0};
}

// Of a valid one.
absl::StatusOr<Experiment> Complete(ExperimentConfig given) {
  Experiment experiment;
  experiment.given = std::move(given);
  experiment.config = ResolveConfig(experiment.given);
  CADRE_ASSIGN_OR_RETURN(experiment.environment, FindEnvironment(experiment.config.environment()));
  ClearWithoutEffect(experiment.environment.action.discrete(), &experiment.config);
  return experiment;
}

}  // namespace

EnvironmentCatalog CatalogFor(const EnvironmentConfig& environment) {
  EnvironmentCatalog catalog;
  for (const EnvironmentSpec& spec : RegisteredEnvironments())
    catalog.entries.push_back(EntryOf(spec));
  ErrorList errors;
  CheckMessageFields(environment, "environment", &errors);
  const bool whole =
      errors.size() == 0 && environment.source_case() != EnvironmentConfig::SOURCE_NOT_SET;
  if (environment.has_id() || !whole) return catalog;
  const absl::StatusOr<EnvironmentSpec> spec = FindEnvironment(environment);
  catalog.other = spec.ok() ? absl::StatusOr<EnvironmentCatalog::Entry>(EntryOf(*spec))
                            : absl::StatusOr<EnvironmentCatalog::Entry>(spec.status());
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
  CADRE_RETURN_IF_ERROR(ValidateConfig(given, CatalogFor(given.environment())));
  return Complete(std::move(given));
}

absl::StatusOr<Experiment> CompleteForActing(ExperimentConfig given) {
  CADRE_RETURN_IF_ERROR(ValidateForActing(given, CatalogFor(given.environment())));
  return Complete(std::move(given));
}

}  // namespace cadre
