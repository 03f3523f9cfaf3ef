// The registered environments as config validation sees them, and an experiment
// that is ready to run: read, overridden, validated against them, resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/config_validation.h"
#include "envs/environment.h"
#include "proto/config.pb.h"

namespace cadre {

struct Experiment {
  ExperimentConfig given;       // What a user wrote, overrides included.
  ExperimentConfig config;      // The same, resolved.
  EnvironmentSpec environment;  // Of config.environment.
};

// All native environments, and `environment` if it is another one.
EnvironmentCatalog CatalogFor(const EnvironmentConfig& environment);

// `overrides` are "path=value"; `seed`, where given, replaces the config's.
// INVALID_ARGUMENT with one line for each thing that is wrong.
absl::StatusOr<Experiment> LoadExperiment(const std::string& path,
                                          const std::vector<std::string>& overrides,
                                          std::optional<uint64_t> seed = std::nullopt);

// The same of a config that was read and overridden already.
absl::StatusOr<Experiment> CompleteExperiment(ExperimentConfig given);

// The same, for those who only act with what was learned: see ValidateForActing.
absl::StatusOr<Experiment> CompleteForActing(ExperimentConfig given);

}  // namespace cadre
