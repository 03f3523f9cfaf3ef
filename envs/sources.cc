#include "envs/sources.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "envs/mujoco/gymnasium_tasks.h"
#include "envs/mujoco/mujoco.h"
#include "envs/plugin/plugin_environment.h"
#include "envs/python/python_source.h"
#include "envs/registry.h"
#include "envs/wrappers/time_limit.h"
#include "envs/wrappers/wrap.h"

namespace cadre {
namespace {

absl::Status NoSource() {
  return absl::InvalidArgumentError(
      "environment: says nothing of which; wanted one of id, gymnasium { ... }, atari { ... }, "
      "mujoco { ... }, plugin { ... }");
}

// A MuJoCo task is known without MuJoCo, too, but cannot be made.
absl::StatusOr<EnvironmentSpec> FindNative(const std::string& id) {
  const GymnasiumTask* const task = FindGymnasiumTask(id);
  if (task != nullptr && !MujocoBuiltIn()) return MakeGymnasiumTask(*task).status();
  return FindEnvironment(id);
}

// As the source has it: without wrappers.
absl::StatusOr<EnvironmentSpec> SourceSpec(const EnvironmentConfig& config) {
  switch (config.source_case()) {
    case EnvironmentConfig::kId:
      return FindNative(config.id());
    case EnvironmentConfig::kGymnasium:
    case EnvironmentConfig::kAtari:
      return DescribePython(config);
    case EnvironmentConfig::kMujoco:
      return FindMujocoModel(config.mujoco());
    case EnvironmentConfig::kPlugin:
      return FindPlugin(config.plugin());
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
    case EnvironmentConfig::kAtari:
      return MakePython(config, count);
    case EnvironmentConfig::kMujoco:
      return MakeMujocoModels(config.mujoco(), count, config.max_episode_steps());
    case EnvironmentConfig::kPlugin:
      return MakePlugin(config.plugin(), count);
    case EnvironmentConfig::SOURCE_NOT_SET:
      break;
  }
  return NoSource();
}

}  // namespace

absl::StatusOr<EnvironmentSpec> FindEnvironment(const EnvironmentConfig& config) {
  CADRE_ASSIGN_OR_RETURN(EnvironmentSpec spec, SourceSpec(config));
  const int64_t limit = config.max_episode_steps();
  // A native environment may play on beyond its usual limit; another one ends when it likes.
  const bool native = config.has_id() || config.has_mujoco();
  if (limit > 0 && native) spec.max_episode_steps = limit;
  if (limit > 0 && !native) spec = TimeLimit::Spec(std::move(spec), limit);
  return WrappedSpec(std::move(spec), config.wrappers());
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeVectorEnvironment(
    const EnvironmentConfig& config, int64_t count) {
  CADRE_ASSIGN_OR_RETURN(auto environment, MakeSource(config, count));
  if (config.max_episode_steps() > 0 && !config.has_id() && !config.has_mujoco())
    environment = LimitTime(std::move(environment), config.max_episode_steps());
  return Wrap(std::move(environment), config.wrappers());
}

}  // namespace cadre
