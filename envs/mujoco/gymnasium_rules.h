// How Gymnasium's MuJoCo tasks are played: starts, rewards, ends and observations, equal to
// gymnasium 1.4.0's (tests/envs/mujoco_parity.py).
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "envs/mujoco/gymnasium_tasks.h"
#include "envs/mujoco/mujoco_environment.h"

namespace cadre {

// FAILED_PRECONDITION where `model` has not the sizes that the task has.
absl::StatusOr<std::shared_ptr<const MujocoRules>> RulesOf(const GymnasiumTask& task,
                                                           const mjModel& model);

}  // namespace cadre
