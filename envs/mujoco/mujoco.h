// The environments that MuJoCo simulates: Gymnasium's tasks, and models of one's own. In a build
// without MuJoCo each of these functions returns FAILED_PRECONDITION, with what installs it.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "envs/environment.h"
#include "envs/mujoco/gymnasium_tasks.h"
#include "envs/vector_environment.h"
#include "proto/config.pb.h"

namespace cadre {

bool MujocoBuiltIn();

absl::StatusOr<std::unique_ptr<Environment>> MakeGymnasiumTask(const GymnasiumTask& task);

// `count` copies, which share the model and the memory of one simulation.
absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeGymnasiumTasks(const GymnasiumTask& task,
                                                                      int64_t count,
                                                                      int64_t max_episode_steps);

// Reads the MJCF file. NOT_FOUND or INVALID_ARGUMENT in one line where it, or what `config` says
// of it, is wrong.
absl::StatusOr<EnvironmentSpec> FindMujocoModel(const MujocoConfig& config);
absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeMujocoModels(const MujocoConfig& config,
                                                                    int64_t count,
                                                                    int64_t max_episode_steps);

}  // namespace cadre
