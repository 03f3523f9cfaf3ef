// The rules of a task on a model of one's own: MujocoConfig of proto/config.proto.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "envs/mujoco/mujoco_environment.h"
#include "proto/config.pb.h"

namespace cadre {

// INVALID_ARGUMENT where `config` asks for what `model` does not have.
absl::StatusOr<std::shared_ptr<const MujocoRules>> RulesOf(const MujocoConfig& config,
                                                           const mjModel& model);

}  // namespace cadre
