#include "envs/mujoco/mujoco_environment.h"

#include <algorithm>
#include <cstring>

#include "common/check.h"
#include "common/status_macros.h"
#include "envs/encoding.h"

namespace cadre {

MujocoEnvironment::MujocoEnvironment(std::shared_ptr<Simulation> simulation,
                                     std::shared_ptr<const MujocoRules> rules)
    : simulation_(std::move(simulation)), rules_(std::move(rules)) {
  CADRE_CHECK(simulation_->model().nu == spec().action.dimensions);
  simulation_->Clear();
  simulation_->Take(&state_);
  row_.resize(spec().observation.elements());
}

void MujocoEnvironment::Reset(Random& random, ObservationRow observation) {
  simulation_->Clear();
  rules_->Start(simulation_->model(), random, &simulation_->data());
  Begin(observation);
}

StepResult MujocoEnvironment::Step(absl::Span<const std::byte> action, Random& /*random*/,
                                   ObservationRow observation) {
  const mjModel& model = simulation_->model();
  mjData& data = simulation_->data();
  const ActionSpace& actions = spec().action;
  simulation_->Put(state_);
  for (int i = 0; i < model.nu; ++i)
    data.ctrl[i] = ContinuousAction(action, i, actions.low[i], actions.high[i]);
  simulation_->Step(rules_->settings().frame_skip);
  if (rules_->settings().contact_forces) simulation_->ComputeContactForces();
  simulation_->Take(&state_);

  const MujocoRules::Measured before = measured_;
  rules_->Measure(model, data, &measured_);
  Show(observation);
  return rules_->Judge(model, data, before, measured_);
}

absl::Status MujocoEnvironment::SetState(absl::Span<const double> state,
                                         ObservationRow observation) {
  const mjModel& model = simulation_->model();
  CADRE_RETURN_IF_ERROR(CheckStateSize(spec(), state, model.nq + model.nv));
  simulation_->Put(state_);
  std::copy_n(state.begin(), model.nq, simulation_->data().qpos);
  std::copy_n(state.begin() + model.nq, model.nv, simulation_->data().qvel);
  Begin(observation);
  return absl::OkStatus();
}

std::vector<double> MujocoEnvironment::state() const {
  const mjModel& model = simulation_->model();
  simulation_->Put(state_);
  const mjData& data = simulation_->data();
  std::vector<double> result(data.qpos, data.qpos + model.nq);
  result.insert(result.end(), data.qvel, data.qvel + model.nv);
  return result;
}

void MujocoEnvironment::Begin(ObservationRow observation) {
  simulation_->Forward();
  if (rules_->settings().contact_forces) simulation_->ClearContactForces();
  simulation_->Take(&state_);
  rules_->Measure(simulation_->model(), simulation_->data(), &measured_);
  Show(observation);
}

void MujocoEnvironment::Show(ObservationRow observation) {
  CADRE_CHECK(observation[0].size() == row_.size() * sizeof(float));
  rules_->Observe(simulation_->model(), simulation_->data(), absl::MakeSpan(row_));
  std::memcpy(observation[0].data(), row_.data(), observation[0].size());
}

}  // namespace cadre
