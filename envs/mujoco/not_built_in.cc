// envs/mujoco/mujoco.h of a build without MuJoCo.
#include "absl/strings/str_cat.h"
#include "envs/mujoco/mujoco.h"

namespace cadre {
namespace {

absl::Status NotBuiltIn(absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat(what,
                   " needs MuJoCo, which this build does not have; install it with "
                   "'scripts/install-deps.sh --mujoco', then build again"));
}

absl::Status NotBuiltIn(const GymnasiumTask& task) {
  return NotBuiltIn(absl::StrCat("environment '", task.id, "'"));
}

absl::Status NotBuiltIn(const MujocoConfig& config) {
  return NotBuiltIn(absl::StrCat("environment.mujoco '", config.model(), "'"));
}

}  // namespace

bool MujocoBuiltIn() { return false; }

absl::StatusOr<std::unique_ptr<Environment>> MakeGymnasiumTask(const GymnasiumTask& task) {
  return NotBuiltIn(task);
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeGymnasiumTasks(
    const GymnasiumTask& task, int64_t /*count*/, int64_t /*max_episode_steps*/) {
  return NotBuiltIn(task);
}

absl::StatusOr<EnvironmentSpec> FindMujocoModel(const MujocoConfig& config) {
  return NotBuiltIn(config);
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeMujocoModels(const MujocoConfig& config,
                                                                    int64_t /*count*/,
                                                                    int64_t /*max_episode_steps*/) {
  return NotBuiltIn(config);
}

}  // namespace cadre
