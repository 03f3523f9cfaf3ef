#include "learner/run_config.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "common/config/config.h"
#include "common/config/config_effects.h"
#include "common/config/config_overrides.h"
#include "common/status_macros.h"
#include "envs/sources.h"
#include "learner/run_folder/run_folder.h"

namespace cadre {
namespace {

// What a user can have written of the config of a folder that has only a resolved one. It may
// have settings that were accepted, and had no effect, when it was written.
ExperimentConfig WithoutDefaultsOrEffect(ExperimentConfig config) {
  config = WithoutDefaults(std::move(config));
  const absl::StatusOr<EnvironmentSpec> environment = FindEnvironment(config.environment());
  std::optional<bool> discrete;
  if (environment.ok()) discrete = environment->action.discrete();
  ClearWithoutEffect(discrete, &config);
  return config;
}

// As its user gave it.
absl::StatusOr<ExperimentConfig> LoadGiven(const std::string& run_folder) {
  CADRE_ASSIGN_OR_RETURN(ExperimentConfig given, LoadConfig(ConfigPath(run_folder), {}));
  std::error_code ignored;
  if (std::filesystem::exists(ResolvedConfigPath(run_folder), ignored)) return given;
  return WithoutDefaultsOrEffect(std::move(given));
}

}  // namespace

absl::StatusOr<Experiment> LoadRunForActing(const std::string& run_folder) {
  CADRE_ASSIGN_OR_RETURN(ExperimentConfig given, LoadGiven(run_folder));
  return CompleteForActing(std::move(given));
}

absl::StatusOr<Experiment> LoadRunExperiment(const std::string& run_folder,
                                             const std::vector<std::string>& overrides,
                                             std::optional<uint64_t> seed) {
  CADRE_ASSIGN_OR_RETURN(ExperimentConfig given, LoadGiven(run_folder));
  CADRE_RETURN_IF_ERROR(ApplyOverrides(overrides, &given));
  if (seed.has_value()) given.set_seed(*seed);
  return CompleteExperiment(std::move(given));
}

}  // namespace cadre
