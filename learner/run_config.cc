#include "learner/run_config.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "common/config.h"
#include "common/config_overrides.h"
#include "common/status_macros.h"
#include "learner/run_folder.h"

namespace cadre {

absl::StatusOr<Experiment> LoadRunExperiment(const std::string& run_folder,
                                             const std::vector<std::string>& overrides,
                                             std::optional<uint64_t> seed) {
  CADRE_ASSIGN_OR_RETURN(ExperimentConfig given, LoadConfig(ConfigPath(run_folder), {}));
  std::error_code ignored;
  if (!std::filesystem::exists(ResolvedConfigPath(run_folder), ignored))
    given = WithoutDefaults(std::move(given));
  CADRE_RETURN_IF_ERROR(ApplyOverrides(overrides, &given));
  if (seed.has_value()) given.set_seed(*seed);
  return CompleteExperiment(std::move(given));
}

}  // namespace cadre
