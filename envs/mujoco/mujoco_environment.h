// An environment that MuJoCo simulates, by the rules of its task. Copies share their simulation:
// see simulation.h. Not thread-safe, nor are copies of it.
#pragma once

#include <array>
#include <memory>
#include <utility>

#include "absl/types/span.h"
#include "envs/environment.h"
#include "envs/mujoco/simulation.h"

namespace cadre {

// What a task adds to a model. Immutable.
class MujocoRules {
 public:
  // Numbers that a reward compares before and after a step.
  using Measured = std::array<double, 16>;

  struct Settings {
    EnvironmentSpec spec;
    int frame_skip = 1;           // Simulation steps for each action.
    bool contact_forces = false;  // Whether mjData.cfrc_ext is read.
  };

  explicit MujocoRules(Settings settings) : settings_(std::move(settings)) {}
  virtual ~MujocoRules() = default;

  const Settings& settings() const { return settings_; }

  // Moves the model's own state to one in which an episode starts: qpos and qvel of `data`.
  virtual void Start(const mjModel& model, Random& random, mjData* data) const = 0;
  virtual void Measure(const mjModel& model, const mjData& data, Measured* measured) const = 0;
  // Of the step to `data`, whose `ctrl` is the action.
  virtual StepResult Judge(const mjModel& model, const mjData& data, const Measured& before,
                           const Measured& after) const = 0;
  virtual void Observe(const mjModel& model, const mjData& data,
                       absl::Span<float> observation) const = 0;

 private:
  Settings settings_;
};

class MujocoEnvironment final : public Environment {
 public:
  // `simulation` is of the model of `rules`.
  MujocoEnvironment(std::shared_ptr<Simulation> simulation,
                    std::shared_ptr<const MujocoRules> rules);

  const EnvironmentSpec& spec() const override { return rules_->settings().spec; }
  void Reset(Random& random, ObservationRow observation) override;
  StepResult Step(absl::Span<const std::byte> action, Random& random,
                  ObservationRow observation) override;
  // `state` is qpos, then qvel. What the solver starts from is kept, as Gymnasium does; contact
  // forces are shown as 0 until the next step.
  absl::Status SetState(absl::Span<const double> state, ObservationRow observation) override;

  // qpos, then qvel.
  std::vector<double> state() const;

 private:
  void Show(ObservationRow observation);
  // Computes what follows from qpos and qvel, which were just set, and shows it.
  void Begin(ObservationRow observation);

  std::shared_ptr<Simulation> simulation_;  // Shared with the copies.
  std::shared_ptr<const MujocoRules> rules_;
  Simulation::State state_;
  MujocoRules::Measured measured_ = {};  // In `state_`.
  std::vector<float> row_;               // An observation: rows need not be aligned.
};

}  // namespace cadre
