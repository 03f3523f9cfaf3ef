#include "envs/sources.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "envs/registry.h"

namespace cadre {
namespace {

absl::Status NoSource() {
  return absl::InvalidArgumentError(
      "environment: says nothing of which; wanted one of id, gymnasium { ... }, atari { ... }, "
      "mujoco { ... }, plugin { ... }, remote { ... }");
}

absl::Status NotThere(absl::string_view source) {
  return absl::UnimplementedError(absl::StrCat("environment.", source, ": not built in"));
}

// As the source has it: without wrappers.
absl::StatusOr<EnvironmentSpec> SourceSpec(const EnvironmentConfig& config) {
  switch (config.source_case()) {
    case EnvironmentConfig::kId:
      return FindEnvironment(config.id());
    case EnvironmentConfig::kGymnasium:
      return NotThere("gymnasium");
    case EnvironmentConfig::kAtari:
      return NotThere("atari");
    case EnvironmentConfig::kMujoco:
      return NotThere("mujoco");
    case EnvironmentConfig::kPlugin:
      return NotThere("plugin");
    case EnvironmentConfig::kRemote:
      return NotThere("remote");
    case EnvironmentConfig::SOURCE_NOT_SET:
      break;
  }
  return NoSource();
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeSource(const EnvironmentConfig& config,
                                                              int64_t count) {
  switch (config.source_case()) {
    case EnvironmentConfig::kId:
      return MakeVectorEnvironment(config.id(), count, config.max_episode_steps());
    case EnvironmentConfig::kGymnasium:
      return NotThere("gymnasium");
    case EnvironmentConfig::kAtari:
      return NotThere("atari");
    case EnvironmentConfig::kMujoco:
      return NotThere("mujoco");
    case EnvironmentConfig::kPlugin:
      return NotThere("plugin");
    case EnvironmentConfig::kRemote:
      return NotThere("remote");
    case EnvironmentConfig::SOURCE_NOT_SET:
      break;
  }
  return NoSource();
}

}  // namespace

absl::StatusOr<EnvironmentSpec> FindEnvironment(const EnvironmentConfig& config) {
  CADRE_ASSIGN_OR_RETURN(EnvironmentSpec spec, SourceSpec(config));
  if (config.max_episode_steps() > 0) spec.max_episode_steps = config.max_episode_steps();
  return spec;
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeVectorEnvironment(
    const EnvironmentConfig& config, int64_t count) {
  return MakeSource(config, count);
}

}  // namespace cadre
