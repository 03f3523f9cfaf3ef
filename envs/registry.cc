#include "envs/registry.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "envs/batch_of.h"
#include "envs/box2d/bipedal_walker.h"
#include "envs/box2d/lunar_lander.h"
#include "envs/classic/acrobot.h"
#include "envs/classic/cartpole.h"
#include "envs/classic/cartpole_po.h"
#include "envs/classic/mountain_car.h"
#include "envs/classic/mountain_car_continuous.h"
#include "envs/classic/pendulum.h"
#include "envs/minatar/asterix.h"
#include "envs/minatar/breakout.h"
#include "envs/minatar/freeway.h"
#include "envs/minatar/seaquest.h"
#include "envs/minatar/space_invaders.h"
#include "envs/mujoco/gymnasium_tasks.h"
#include "envs/mujoco/mujoco.h"
#include "envs/probe/masked_corridor.h"
#include "envs/probe/match.h"

namespace cadre {
namespace {

struct Registration {
  const EnvironmentSpec& (*spec)();
  std::unique_ptr<Environment> (*make)();
  std::unique_ptr<VectorEnvironment> (*make_vector)(int64_t count, int64_t max_episode_steps);
};

template <typename E>
constexpr Registration Register() {
  return {
      .spec = &E::Spec,
      .make = []() -> std::unique_ptr<Environment> { return std::make_unique<E>(); },
      .make_vector = [](int64_t count,
                        int64_t max_episode_steps) -> std::unique_ptr<VectorEnvironment> {
        return std::make_unique<BatchOf<E>>(std::vector<E>(count), max_episode_steps);
      },
  };
}

// Sorted by id. A new environment is one more line here. MuJoCo's are in
// mujoco/gymnasium_tasks.cc.
constexpr Registration kRegistrations[] = {
    Register<Acrobot>(),                        //
    Register<BipedalWalker>(),                  //
    Register<BipedalWalkerHardcore>(),          //
    Register<CartPole>(),                       //
    Register<CartPolePo>(),                     //
    Register<DictionaryMatch>(),                //
    Register<LunarLander>(),                    //
    Register<LunarLanderContinuous>(),          //
    Register<MaskedCorridor>(),                 //
    Register<MinAtar<Asterix, false>>(),        //
    Register<MinAtar<Asterix, true>>(),         //
    Register<MinAtar<Breakout, false>>(),       //
    Register<MinAtar<Breakout, true>>(),        //
    Register<MinAtar<Freeway, false>>(),        //
    Register<MinAtar<Freeway, true>>(),         //
    Register<MinAtar<Seaquest, false>>(),       //
    Register<MinAtar<Seaquest, true>>(),        //
    Register<MinAtar<SpaceInvaders, false>>(),  //
    Register<MinAtar<SpaceInvaders, true>>(),   //
    Register<MountainCar>(),                    //
    Register<MountainCarContinuous>(),          //
    Register<MultiBinaryMatch>(),               //
    Register<MultiDiscreteMatch>(),             //
    Register<Pendulum>(),                       //
};

// Single-character insertions, deletions and substitutions from `a` to `b`, capitals
// and small letters being equal (Levenshtein 1966).
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);  // Distances of a[0, i) to every b[0, j).
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = absl::ascii_tolower(a[i - 1]) == absl::ascii_tolower(b[j - 1]);
      const size_t substituted = diagonal + (same ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

absl::Status UnknownEnvironment(absl::string_view id) {
  std::vector<std::string> ids;
  for (const EnvironmentSpec& spec : RegisteredEnvironments()) ids.push_back(spec.id);
  const std::string nearest =
      *std::min_element(ids.begin(), ids.end(), [id](const std::string& a, const std::string& b) {
        return EditDistance(id, a) < EditDistance(id, b);
      });
  const bool close = EditDistance(id, nearest) <= nearest.size() / 3;
  return absl::NotFoundError(
      absl::StrCat("unknown environment '", id, "'",
                   close ? absl::StrCat("; did you mean '", nearest, "'?") : "",
                   "; wanted one that `cadre envs` lists"));
}

absl::StatusOr<const Registration*> Find(absl::string_view id) {
  for (const Registration& registration : kRegistrations) {
    if (registration.spec().id == id) return &registration;
  }
  return UnknownEnvironment(id);
}

}  // namespace

std::vector<EnvironmentSpec> RegisteredEnvironments() {
  std::vector<EnvironmentSpec> specs;
  for (const Registration& registration : kRegistrations) specs.push_back(registration.spec());
  for (const GymnasiumTask& task : GymnasiumTasks()) specs.push_back(SpecOf(task));
  std::sort(specs.begin(), specs.end(),
            [](const EnvironmentSpec& a, const EnvironmentSpec& b) { return a.id < b.id; });
  return specs;
}

absl::StatusOr<EnvironmentSpec> FindEnvironment(absl::string_view id) {
  if (const GymnasiumTask* task = FindGymnasiumTask(id)) return SpecOf(*task);
  CADRE_ASSIGN_OR_RETURN(const Registration* registration, Find(id));
  return registration->spec();
}

absl::StatusOr<std::unique_ptr<Environment>> MakeEnvironment(absl::string_view id) {
  if (const GymnasiumTask* task = FindGymnasiumTask(id)) return MakeGymnasiumTask(*task);
  CADRE_ASSIGN_OR_RETURN(const Registration* registration, Find(id));
  return registration->make();
}

absl::StatusOr<std::unique_ptr<VectorEnvironment>> MakeVectorEnvironment(
    absl::string_view id, int64_t count, int64_t max_episode_steps) {
  CADRE_ASSIGN_OR_RETURN(const EnvironmentSpec spec, FindEnvironment(id));
  if (count < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("environment count is ", count, "; wanted at least 1"));
  }
  if (max_episode_steps < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_episode_steps is ", max_episode_steps, "; wanted at least 0"));
  }
  if (max_episode_steps == 0) max_episode_steps = spec.max_episode_steps;
  if (const GymnasiumTask* task = FindGymnasiumTask(id))
    return MakeGymnasiumTasks(*task, count, max_episode_steps);
  CADRE_ASSIGN_OR_RETURN(const Registration* registration, Find(id));
  return registration->make_vector(count, max_episode_steps);
}

}  // namespace cadre
