// From a config file to an experiment that can run: read, overridden, validated
// against the environments that there are, and resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config_validation.h"
#include "envs/environment.h"
#include "proto/config.pb.h"

namespace cadre {

struct Experiment {
  ExperimentConfig config;  // Resolved.
  EnvironmentSpec environment;
};

// Every registered environment, as validation needs it.
EnvironmentCatalog BuiltInCatalog();

// `overrides` are "path=value"; `seed`, where given, replaces the config's.
// INVALID_ARGUMENT with one line for each thing that is wrong.
absl::StatusOr<Experiment> LoadExperiment(const std::string& path,
                                          const std::vector<std::string>& overrides,
                                          std::optional<uint64_t> seed = std::nullopt);

}  // namespace cadre
