#include "envs/mujoco/gymnasium_rules.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace cadre {
namespace {

using Measured = MujocoRules::Measured;

// What is known of a step when it is judged.
struct Moment {
  int version;
  const mjModel& model;
  const mjData& data;
  double seconds;  // Of the step.
  const Measured& before;
  const Measured& after;

  double Rate(int i) const { return (after[i] - before[i]) / seconds; }
};

// Writes an observation, number by number.
class Writer {
 public:
  explicit Writer(absl::Span<float> row) : row_(row) {}
  ~Writer() { CADRE_CHECK(next_ == row_.size()); }

  void Add(double value) { row_[next_++] = static_cast<float>(value); }
  void Add(const mjtNum* values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) Add(values[i]);
  }
  void AddClipped(const mjtNum* values, int64_t count, double bound) {
    for (int64_t i = 0; i < count; ++i) Add(std::clamp(values[i], -bound, bound));
  }

 private:
  absl::Span<float> row_;
  size_t next_ = 0;
};

// The functions and numbers of one family.
struct Family {
  // First positions: uniform, at most so far from the model's own. First velocities: so far, or
  // normal with this deviation.
  double position_noise = 0, velocity_noise = 0;
  bool normal_velocity = false;
  // What else happens to a start.
  void (*place)(const mjModel&, Random&, mjData*) = nullptr;
  void (*measure)(const mjModel&, const mjData&, Measured*) = nullptr;
  StepResult (*judge)(const Moment&) = nullptr;
  void (*observe)(int version, const mjModel&, const mjData&, Writer&) = nullptr;
};

double SumOfSquares(const mjtNum* values, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += values[i] * values[i];
  return sum;
}

double ActionSquares(const Moment& moment) {
  return SumOfSquares(moment.data.ctrl, moment.model.nu);
}

// Version 4 pays for health on the step that ends it, too.
StepResult Healthy(const Moment& moment, bool healthy, double bonus, double rest) {
  return {.reward = (healthy || moment.version == 4 ? bonus : 0) + rest, .terminated = !healthy};
}

const mjtNum* BodyPosition(const mjModel& model, const mjData& data, const char* name) {
  return data.xpos + 3 * mj_name2id(&model, mjOBJ_BODY, name);
}

double Distance(const mjModel& model, const mjData& data, const char* a, const char* b) {
  return mju_dist3(BodyPosition(model, data, a), BodyPosition(model, data, b));
}

// --- Runners in the plane: x, z and the torso's angle come first. ---

void MeasureFirstPosition(const mjModel&, const mjData& data, Measured* measured) {
  (*measured)[0] = data.qpos[0];
}

void ObserveAllButX(int, const mjModel& model, const mjData& data, Writer& writer) {
  writer.Add(data.qpos + 1, model.nq - 1);
  writer.Add(data.qvel, model.nv);
}

void ObserveAllButXClipped(int, const mjModel& model, const mjData& data, Writer& writer) {
  writer.Add(data.qpos + 1, model.nq - 1);
  writer.AddClipped(data.qvel, model.nv, 10);
}

StepResult JudgeHalfCheetah(const Moment& moment) {
  return {.reward = moment.Rate(0) - 0.1 * ActionSquares(moment)};
}

StepResult JudgeHopper(const Moment& moment) {
  const auto small = [](double x) { return std::abs(x) < 100; };
  const mjtNum *position = moment.data.qpos, *velocity = moment.data.qvel;
  const bool healthy = position[1] > 0.7 && std::abs(position[2]) < 0.2 &&
                       std::all_of(position + 2, position + moment.model.nq, small) &&
                       std::all_of(velocity, velocity + moment.model.nv, small);
  return Healthy(moment, healthy, 1, moment.Rate(0) - 1e-3 * ActionSquares(moment));
}

StepResult JudgeWalker2d(const Moment& moment) {
  const double height = moment.data.qpos[1], angle = moment.data.qpos[2];
  return Healthy(moment, height > 0.8 && height < 2 && std::abs(angle) < 1, 1,
                 moment.Rate(0) - 1e-3 * ActionSquares(moment));
}

// --- Swimmer ---

void ObserveAllButXy(int, const mjModel& model, const mjData& data, Writer& writer) {
  writer.Add(data.qpos + 2, model.nq - 2);
  writer.Add(data.qvel, model.nv);
}

StepResult JudgeSwimmer(const Moment& moment) {
  return {.reward = moment.Rate(0) - 1e-4 * ActionSquares(moment)};
}

// --- Ant: the torso is the first body after the world. ---

void MeasureTorso(const mjModel&, const mjData& data, Measured* measured) {
  (*measured)[0] = data.xpos[3];
}

StepResult JudgeAnt(const Moment& moment) {
  const auto finite = [](double x) { return std::isfinite(x); };
  const mjtNum *position = moment.data.qpos, *velocity = moment.data.qvel;
  const bool healthy = position[2] >= 0.2 && position[2] <= 1 &&
                       std::all_of(position, position + moment.model.nq, finite) &&
                       std::all_of(velocity, velocity + moment.model.nv, finite);
  double cost = 0.5 * ActionSquares(moment);
  if (moment.version == 5) {
    double squares = 0;
    for (int i = 0; i < 6 * moment.model.nbody; ++i)
      squares += std::pow(std::clamp(moment.data.cfrc_ext[i], -1.0, 1.0), 2);
    cost += 5e-4 * squares;
  }
  return Healthy(moment, healthy, 1, moment.Rate(0) - cost);
}

void ObserveAnt(int version, const mjModel& model, const mjData& data, Writer& writer) {
  ObserveAllButXy(version, model, data, writer);
  if (version == 5) writer.AddClipped(data.cfrc_ext + 6, 6 * (model.nbody - 1), 1);
}

// --- Humanoid and HumanoidStandup ---

void MeasureCenterOfMass(const mjModel& model, const mjData& data, Measured* measured) {
  double moment = 0, mass = 0;
  for (int i = 0; i < model.nbody; ++i) {
    moment += model.body_mass[i] * data.xipos[3 * i];
    mass += model.body_mass[i];
  }
  (*measured)[0] = moment / mass;
}

double ImpactCost(const Moment& moment) {
  return std::min(10.0, 5e-7 * SumOfSquares(moment.data.cfrc_ext, 6 * moment.model.nbody));
}

StepResult JudgeHumanoid(const Moment& moment) {
  const double height = moment.data.qpos[2];
  double cost = 0.1 * ActionSquares(moment);
  if (moment.version == 5) cost += ImpactCost(moment);
  return Healthy(moment, height > 1 && height < 2, 5, 1.25 * moment.Rate(0) - cost);
}

StepResult JudgeHumanoidStandup(const Moment& moment) {
  return {.reward = moment.data.qpos[2] / moment.model.opt.timestep - 0.1 * ActionSquares(moment) -
                    ImpactCost(moment) + 1};
}

// Version 5 leaves out what is always 0: the world's, and forces on the free joint.
void ObserveHumanoid(int version, const mjModel& model, const mjData& data, Writer& writer) {
  const int bodies = version == 5 ? 1 : 0, joints = version == 5 ? 6 : 0;
  ObserveAllButXy(version, model, data, writer);
  writer.Add(data.cinert + 10 * bodies, 10 * (model.nbody - bodies));
  writer.Add(data.cvel + 6 * bodies, 6 * (model.nbody - bodies));
  writer.Add(data.qfrc_actuator + joints, model.nv - joints);
  writer.Add(data.cfrc_ext + 6 * bodies, 6 * (model.nbody - bodies));
}

// --- Reacher and Pusher: version 4 judges where things were before the step. ---

// Draws points in a rectangle until one's distance from the origin is accepted.
template <typename Accept>
void PlacePoint(Random& random, double low_x, double high_x, double low_y, double high_y,
                mjtNum* position, Accept accept) {
  do {
    position[0] = random.Uniform(low_x, high_x);
    position[1] = random.Uniform(low_y, high_y);
  } while (!accept(std::hypot(position[0], position[1])));
}

void PlaceReacher(const mjModel& model, Random& random, mjData* data) {
  PlacePoint(random, -0.2, 0.2, -0.2, 0.2, data->qpos + model.nq - 2,
             [](double distance) { return distance < 0.2; });
  std::fill_n(data->qvel + model.nv - 2, 2, 0.0);
}

void MeasureReacher(const mjModel& model, const mjData& data, Measured* measured) {
  (*measured)[0] = Distance(model, data, "fingertip", "target");
}

StepResult JudgeReacher(const Moment& moment) {
  const Measured& measured = moment.version == 4 ? moment.before : moment.after;
  return {.reward = -measured[0] - ActionSquares(moment)};
}

void ObserveReacher(int version, const mjModel& model, const mjData& data, Writer& writer) {
  for (int i = 0; i < 2; ++i) writer.Add(std::cos(data.qpos[i]));
  for (int i = 0; i < 2; ++i) writer.Add(std::sin(data.qpos[i]));
  writer.Add(data.qpos + 2, 2);
  writer.Add(data.qvel, 2);
  mjtNum difference[3];
  mju_sub3(difference, BodyPosition(model, data, "fingertip"), BodyPosition(model, data, "target"));
  writer.Add(difference, version == 5 ? 2 : 3);
}

void PlacePusher(const mjModel& model, Random& random, mjData* data) {
  mjtNum* object = data->qpos + model.nq - 4;
  PlacePoint(random, -0.3, 0, -0.2, 0.2, object, [](double distance) { return distance > 0.17; });
  std::fill_n(object + 2, 2, 0.0);  // The goal.
  std::fill_n(data->qvel + model.nv - 4, 4, 0.0);
}

void MeasurePusher(const mjModel& model, const mjData& data, Measured* measured) {
  (*measured)[0] = Distance(model, data, "object", "tips_arm");
  (*measured)[1] = Distance(model, data, "object", "goal");
}

StepResult JudgePusher(const Moment& moment) {
  const Measured& measured = moment.version == 4 ? moment.before : moment.after;
  return {.reward = -0.5 * measured[0] - measured[1] - 0.1 * ActionSquares(moment)};
}

void ObservePusher(int, const mjModel& model, const mjData& data, Writer& writer) {
  writer.Add(data.qpos, 7);
  writer.Add(data.qvel, 7);
  for (const char* body : {"tips_arm", "object", "goal"})
    writer.Add(BodyPosition(model, data, body), 3);
}

// --- Inverted pendulums ---

void ObserveAll(int, const mjModel& model, const mjData& data, Writer& writer) {
  writer.Add(data.qpos, model.nq);
  writer.Add(data.qvel, model.nv);
}

StepResult JudgeInvertedPendulum(const Moment& moment) {
  bool healthy = std::abs(moment.data.qpos[1]) <= 0.2;
  for (int i = 0; i < 2; ++i)
    healthy = healthy && std::isfinite(moment.data.qpos[i]) && std::isfinite(moment.data.qvel[i]);
  return Healthy(moment, healthy, 1, 0);
}

// The tip is the model's only site.
StepResult JudgeInvertedDoublePendulum(const Moment& moment) {
  const double x = moment.data.site_xpos[0], y = moment.data.site_xpos[2];
  const double v1 = moment.data.qvel[1], v2 = moment.data.qvel[2];
  const double cost = 0.01 * x * x + (y - 2) * (y - 2) + 1e-3 * v1 * v1 + 5e-3 * v2 * v2;
  return Healthy(moment, y > 1, 10, -cost);
}

void ObserveInvertedDoublePendulum(int version, const mjModel& model, const mjData& data,
                                   Writer& writer) {
  writer.Add(data.qpos[0]);
  for (int i = 1; i < 3; ++i) writer.Add(std::sin(data.qpos[i]));
  for (int i = 1; i < 3; ++i) writer.Add(std::cos(data.qpos[i]));
  writer.AddClipped(data.qvel, model.nv, 10);
  writer.AddClipped(data.qfrc_constraint, version == 5 ? 1 : model.nv, 10);
}

Family FamilyOf(GymnasiumTask::Family family) {
  using enum GymnasiumTask::Family;
  switch (family) {
    case kAnt:
      return {0.1, 0.1, true, nullptr, MeasureTorso, JudgeAnt, ObserveAnt};
    case kHalfCheetah:
      return {0.1, 0.1, true, nullptr, MeasureFirstPosition, JudgeHalfCheetah, ObserveAllButX};
    case kHopper:
      return {.005, .005, false, nullptr, MeasureFirstPosition, JudgeHopper, ObserveAllButXClipped};
    case kHumanoid:
      return {.01, .01, false, nullptr, MeasureCenterOfMass, JudgeHumanoid, ObserveHumanoid};
    case kHumanoidStandup:
      return {.01, .01, false, nullptr, nullptr, JudgeHumanoidStandup, ObserveHumanoid};
    case kInvertedDoublePendulum:
      return {0.1,
              0.1,
              true,
              nullptr,
              nullptr,
              JudgeInvertedDoublePendulum,
              ObserveInvertedDoublePendulum};
    case kInvertedPendulum:
      return {.01, .01, false, nullptr, nullptr, JudgeInvertedPendulum, ObserveAll};
    case kPusher:
      return {0, .005, false, PlacePusher, MeasurePusher, JudgePusher, ObservePusher};
    case kReacher:
      return {0.1, .005, false, PlaceReacher, MeasureReacher, JudgeReacher, ObserveReacher};
    case kSwimmer:
      return {0.1, 0.1, false, nullptr, MeasureFirstPosition, JudgeSwimmer, ObserveAllButXy};
    case kWalker2d:
      return {
          .005, .005, false, nullptr, MeasureFirstPosition, JudgeWalker2d, ObserveAllButXClipped};
  }
  return {};
}

// Of the others, neither observation nor reward has them.
bool NeedsContactForces(const GymnasiumTask& task) {
  using enum GymnasiumTask::Family;
  return task.family == kHumanoid || task.family == kHumanoidStandup ||
         (task.family == kAnt && task.version == 5);
}

class GymnasiumRules final : public MujocoRules {
 public:
  GymnasiumRules(const GymnasiumTask& task, const mjModel& model)
      : MujocoRules({SpecOf(task), task.frame_skip, NeedsContactForces(task)}),
        version_(task.version),
        family_(FamilyOf(task.family)),
        seconds_(model.opt.timestep * task.frame_skip) {}

  void Start(const mjModel& model, Random& random, mjData* data) const override {
    for (int i = 0; i < model.nq; ++i)
      data->qpos[i] += random.Uniform(-family_.position_noise, family_.position_noise);
    for (int i = 0; i < model.nv; ++i)
      data->qvel[i] += family_.normal_velocity
                           ? family_.velocity_noise * random.Normal()
                           : random.Uniform(-family_.velocity_noise, family_.velocity_noise);
    if (family_.place != nullptr) family_.place(model, random, data);
  }

  void Measure(const mjModel& model, const mjData& data, Measured* measured) const override {
    if (family_.measure != nullptr) family_.measure(model, data, measured);
  }

  StepResult Judge(const mjModel& model, const mjData& data, const Measured& before,
                   const Measured& after) const override {
    return family_.judge({version_, model, data, seconds_, before, after});
  }

  void Observe(const mjModel& model, const mjData& data,
               absl::Span<float> observation) const override {
    Writer writer(observation);
    family_.observe(version_, model, data, writer);
  }

 private:
  const int version_;
  const Family family_;
  const double seconds_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const MujocoRules>> RulesOf(const GymnasiumTask& task,
                                                           const mjModel& model) {
  if (model.nu != task.actions) {
    return absl::FailedPreconditionError(absl::StrCat("model '", task.model, "' of environment '",
                                                      task.id, "' has ", model.nu,
                                                      " controls; wanted ", task.actions));
  }
  return std::make_shared<GymnasiumRules>(task, model);
}

}  // namespace cadre
