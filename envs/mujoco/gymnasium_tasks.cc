#include "envs/mujoco/gymnasium_tasks.h"

#include <limits>

namespace cadre {
namespace {

using enum GymnasiumTask::Family;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Of gymnasium 1.4.0. Columns: see GymnasiumTask.
constexpr GymnasiumTask kTasks[] = {
    {"Ant-v4", kAnt, 4, "ant.xml", 5, 27, 8, 1, 1000, 6000},
    {"Ant-v5", kAnt, 5, "ant.xml", 5, 105, 8, 1, 1000, 6000},
    {"HalfCheetah-v4", kHalfCheetah, 4, "half_cheetah.xml", 5, 17, 6, 1, 1000, 4800},
    {"HalfCheetah-v5", kHalfCheetah, 5, "half_cheetah.xml", 5, 17, 6, 1, 1000, 4800},
    {"Hopper-v4", kHopper, 4, "hopper.xml", 4, 11, 3, 1, 1000, 3800},
    {"Hopper-v5", kHopper, 5, "hopper.xml", 4, 11, 3, 1, 1000, 3800},
    {"Humanoid-v4", kHumanoid, 4, "humanoid.xml", 5, 376, 17, 0.4f, 1000, kNone},
    {"Humanoid-v5", kHumanoid, 5, "humanoid.xml", 5, 348, 17, 0.4f, 1000, kNone},
    {"HumanoidStandup-v4", kHumanoidStandup, 4, "humanoidstandup.xml", 5, 376, 17, 0.4f, 1000,
     kNone},
    {"HumanoidStandup-v5", kHumanoidStandup, 5, "humanoidstandup.xml", 5, 348, 17, 0.4f, 1000,
     kNone},
    {"InvertedDoublePendulum-v4", kInvertedDoublePendulum, 4, "inverted_double_pendulum.xml", 5, 11,
     1, 1, 1000, 9100},
    {"InvertedDoublePendulum-v5", kInvertedDoublePendulum, 5, "inverted_double_pendulum.xml", 5, 9,
     1, 1, 1000, 9100},
    {"InvertedPendulum-v4", kInvertedPendulum, 4, "inverted_pendulum.xml", 2, 4, 1, 3, 1000, 950},
    {"InvertedPendulum-v5", kInvertedPendulum, 5, "inverted_pendulum.xml", 2, 4, 1, 3, 1000, 950},
    {"Pusher-v4", kPusher, 4, "pusher.xml", 5, 23, 7, 2, 100, 0},
    {"Pusher-v5", kPusher, 5, "pusher_v5.xml", 5, 23, 7, 2, 100, 0},
    {"Reacher-v4", kReacher, 4, "reacher.xml", 2, 11, 2, 1, 50, -3.75},
    {"Reacher-v5", kReacher, 5, "reacher.xml", 2, 10, 2, 1, 50, -3.75},
    {"Swimmer-v4", kSwimmer, 4, "swimmer.xml", 4, 8, 2, 1, 1000, 360},
    {"Swimmer-v5", kSwimmer, 5, "swimmer.xml", 4, 8, 2, 1, 1000, 360},
    {"Walker2d-v4", kWalker2d, 4, "walker2d.xml", 4, 17, 6, 1, 1000, kNone},
    {"Walker2d-v5", kWalker2d, 5, "walker2d_v5.xml", 4, 17, 6, 1, 1000, kNone},
};

}  // namespace

absl::Span<const GymnasiumTask> GymnasiumTasks() { return kTasks; }

const GymnasiumTask* FindGymnasiumTask(absl::string_view id) {
  for (const GymnasiumTask& task : kTasks)
    if (id == task.id) return &task;
  return nullptr;
}

EnvironmentSpec SpecOf(const GymnasiumTask& task) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EnvironmentSpec spec;
  spec.id = task.id;
  spec.observation.columns = {{.shape = {task.observation},
                               .low = std::vector<float>(task.observation, -kInfinity),
                               .high = std::vector<float>(task.observation, kInfinity)}};
  spec.action.kind = ActionSpace::Kind::kContinuous;
  spec.action.dimensions = task.actions;
  spec.action.low.assign(task.actions, -task.bound);
  spec.action.high.assign(task.actions, task.bound);
  spec.max_episode_steps = task.max_episode_steps;
  spec.reward_threshold = task.reward_threshold;
  return spec;
}

}  // namespace cadre
