// The MuJoCo tasks of Gymnasium: what is known of them without MuJoCo, so that a build without
// it can list them. How they are played is in gymnasium_rules.h.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "envs/environment.h"

namespace cadre {

struct GymnasiumTask {
  // Tasks that differ in their version, or in a number, only.
  enum class Family {
    kAnt,
    kHalfCheetah,
    kHopper,
    kHumanoid,
    kHumanoidStandup,
    kInvertedDoublePendulum,
    kInvertedPendulum,
    kPusher,
    kReacher,
    kSwimmer,
    kWalker2d,
  };
  const char* id;
  Family family;
  int version;        // 4 or 5
  const char* model;  // Of Gymnasium's MJCF files.
  int frame_skip;     // Simulation steps for each action.
  int observation;    // Numbers.
  int actions;        // Numbers.
  float bound;        // Of each action, on both sides.
  int64_t max_episode_steps;
  double reward_threshold;  // NaN: none.
};

// Sorted by id.
absl::Span<const GymnasiumTask> GymnasiumTasks();
// nullptr where there is none.
const GymnasiumTask* FindGymnasiumTask(absl::string_view id);

EnvironmentSpec SpecOf(const GymnasiumTask& task);

}  // namespace cadre
