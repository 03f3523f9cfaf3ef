// Environments out of a shared library (cadre_env.h).
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "envs/environment.h"
#include "envs/vector_environment.h"
#include "proto/config.pb.h"

namespace cadre {

// NOT_FOUND where there is no such library or environment in it; FAILED_PRECONDITION where the
// library is none of ours: a symbol is missing, or its interface is of another version.
absl::StatusOr<EnvironmentSpec> FindPlugin(const PluginConfig& config);

// What a library writes that is not allowed (a reward that is no number, both flags at once)
// makes Reset and Step fail with INTERNAL, naming the environment.
absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakePlugin(const PluginConfig& config,
                                                              int64_t count);

}  // namespace cadre
