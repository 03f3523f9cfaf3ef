#include "envs/mujoco/mujoco.h"

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "envs/batch_of.h"
#include "envs/mujoco/gymnasium_rules.h"
#include "envs/mujoco/model_rules.h"
#include "envs/mujoco/mujoco_environment.h"
#include "envs/mujoco/simulation.h"

namespace cadre {
namespace {

// $CADRE_MUJOCO_MODELS is for binaries that run elsewhere than they were built.
std::string ModelOf(const GymnasiumTask& task) {
  const char* folder = std::getenv("CADRE_MUJOCO_MODELS");
  return absl::StrCat(folder != nullptr ? folder : CADRE_MUJOCO_MODELS, "/", task.model);
}

struct Game {
  std::shared_ptr<Simulation> simulation;
  std::shared_ptr<const MujocoRules> rules;
};

template <typename Task>
absl::StatusOr<Game> Prepare(const std::string& path, const Task& task) {
  Game game;
  CADRE_ASSIGN_OR_RETURN(game.simulation, Simulation::Load(path));
  CADRE_ASSIGN_OR_RETURN(game.rules, RulesOf(task, game.simulation->model()));
  return game;
}

std::unique_ptr<VectorEnvironment> BatchOfGame(const Game& game, int64_t count,
                                               int64_t max_episode_steps) {
  return std::make_unique<BatchOf<MujocoEnvironment>>(
      std::vector<MujocoEnvironment>(count, MujocoEnvironment(game.simulation, game.rules)),
      max_episode_steps);
}

}  // namespace

bool MujocoBuiltIn() { return true; }

absl::StatusOr<std::unique_ptr<Environment>> MakeGymnasiumTask(const GymnasiumTask& task) {
  CADRE_ASSIGN_OR_RETURN(Game game, Prepare(ModelOf(task), task));
  return std::make_unique<MujocoEnvironment>(game.simulation, game.rules);
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeGymnasiumTasks(const GymnasiumTask& task,
                                                                      int64_t count,
                                                                      int64_t max_episode_steps) {
  CADRE_ASSIGN_OR_RETURN(Game game, Prepare(ModelOf(task), task));
  return BatchOfGame(game, count, max_episode_steps);
}

absl::StatusOr<EnvironmentSpec> FindMujocoModel(const MujocoConfig& config) {
  CADRE_ASSIGN_OR_RETURN(Game game, Prepare(config.model(), config));
  return game.rules->settings().spec;
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeMujocoModels(const MujocoConfig& config,
                                                                    int64_t count,
                                                                    int64_t max_episode_steps) {
  CADRE_ASSIGN_OR_RETURN(Game game, Prepare(config.model(), config));
  return BatchOfGame(game, count, max_episode_steps);
}

}  // namespace cadre
