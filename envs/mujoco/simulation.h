// A MuJoCo model, and the memory to simulate it in. Many environments take turns in one
// simulation: each keeps its state alone, a few hundred numbers, which is put in before a step
// and taken out after it. The numbers are those of a simulation for each environment, but the
// memory they are computed in stays in the cache. One thread at a time.
#pragma once

#include <mujoco/mujoco.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cadre {

class Simulation {
 public:
  // Reads an MJCF file. NOT_FOUND where there is none, INVALID_ARGUMENT with MuJoCo's own words
  // where it is wrong.
  static absl::StatusOr<std::shared_ptr<Simulation>> Load(const std::string& path);

  const mjModel& model() const { return *model_; }
  mjData& data() { return *data_; }
  const mjData& data() const { return *data_; }

  // All on which later steps depend, in a row of numbers.
  using State = std::vector<mjtNum>;
  void Put(const State& state);
  void Take(State* state) const;

  // As if just made: the model's own state, and zeros. Nothing is computed from it yet.
  void Clear() { Put(initial_); }
  // Positions, velocities and accelerations of everything, from the state.
  void Forward() { mj_forward(model_.get(), data_.get()); }
  void Step(int times);

  // From the state before the last simulation step, [bodies, 6]. Step() does not compute them;
  // Clear() does not clear them.
  void ComputeContactForces() { mj_rnePostConstraint(model_.get(), data_.get()); }
  void ClearContactForces();

 private:
  struct Delete {
    void operator()(mjModel* model) const { mj_deleteModel(model); }
    void operator()(mjData* data) const { mj_deleteData(data); }
  };
  using Model = std::unique_ptr<mjModel, Delete>;

  explicit Simulation(Model model);

  Model model_;
  std::unique_ptr<mjData, Delete> data_;
  State initial_;
};

}  // namespace cadre
