// The environments of a config that Python steps: GymnasiumConfig and AtariConfig.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "envs/environment.h"
#include "envs/vector_environment.h"
#include "proto/config.pb.h"

namespace cadre {

// `config` has one of the two as its source. Starts a worker for it once; the process remembers
// its answer. Fails as PythonEnvironments::Create does.
absl::StatusOr<EnvironmentSpec> DescribePython(const EnvironmentConfig& config);

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakePython(const EnvironmentConfig& config,
                                                              int64_t count);

}  // namespace cadre
