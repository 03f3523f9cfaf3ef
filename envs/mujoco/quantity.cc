#include "envs/mujoco/quantity.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cadre {
namespace {

// The names of all of the model's objects of a type.
std::string Names(const mjModel& model, mjtObj type, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i)
    if (const char* name = mj_id2name(&model, type, i)) names.push_back(name);
  return names.empty() ? "it has none" : absl::StrCat("it has ", absl::StrJoin(names, ", "));
}

absl::StatusOr<int> FindNamed(const std::string& name, const mjModel& model, mjtObj type, int count,
                              absl::string_view field) {
  const int id = mj_name2id(&model, type, name.c_str());
  if (id >= 0) return id;
  return absl::InvalidArgumentError(absl::StrCat("environment.mujoco.", field,
                                                 ": the model has no ", mju_type2Str(type), " '",
                                                 name, "'; ", Names(model, type, count)));
}

bool Named(MujocoQuantity::Kind kind) {
  return kind == MujocoQuantity::SENSOR || kind == MujocoQuantity::BODY_POSITION;
}

}  // namespace

absl::StatusOr<Quantity> Quantity::Find(const MujocoQuantity& config, const mjModel& model,
                                        absl::string_view field) {
  if (config.has_name() != Named(config.kind())) {
    return absl::InvalidArgumentError(
        absl::StrCat("environment.mujoco.", field, ": ", MujocoQuantity::Kind_Name(config.kind()),
                     Named(config.kind()) ? " without a name; wanted that of a sensor or body"
                                          : " takes no name"));
  }
  int start = 0, size = 0;
  switch (config.kind()) {
    case MujocoQuantity::POSITIONS:
      size = model.nq;
      break;
    case MujocoQuantity::VELOCITIES:
    case MujocoQuantity::ACTUATOR_FORCES:
      size = model.nv;
      break;
    case MujocoQuantity::ACTION:
      size = model.nu;
      break;
    case MujocoQuantity::SENSOR: {
      const auto id = FindNamed(config.name(), model, mjOBJ_SENSOR, model.nsensor, field);
      if (!id.ok()) return id.status();
      start = model.sensor_adr[*id];
      size = model.sensor_dim[*id];
      break;
    }
    case MujocoQuantity::BODY_POSITION: {
      const auto id = FindNamed(config.name(), model, mjOBJ_BODY, model.nbody, field);
      if (!id.ok()) return id.status();
      start = 3 * *id;
      size = 3;
      break;
    }
    case MujocoQuantity::CONTACT_FORCES:
      start = 6;  // After the world's.
      size = 6 * (model.nbody - 1);
      break;
    case MujocoQuantity::CENTER_OF_MASS:
      size = 3;
      break;
  }
  const int first = config.first();
  if (first >= size || config.count() > size - first) {
    return absl::InvalidArgumentError(
        absl::StrCat("environment.mujoco.", field, ": ", MujocoQuantity::Kind_Name(config.kind()),
                     " has ", size, " numbers; got first ", first, ", count ", config.count()));
  }
  Quantity result;
  result.kind_ = config.kind();
  result.first_ = start + first;
  result.count_ = config.count() > 0 ? config.count() : size - first;
  return result;
}

double Quantity::At(const mjModel& model, const mjData& data, int i) const {
  const int at = first_ + i;
  switch (kind_) {
    case MujocoQuantity::POSITIONS:
      return data.qpos[at];
    case MujocoQuantity::VELOCITIES:
      return data.qvel[at];
    case MujocoQuantity::ACTION:
      return data.ctrl[at];
    case MujocoQuantity::SENSOR:
      return data.sensordata[at];
    case MujocoQuantity::BODY_POSITION:
      return data.xpos[at];
    case MujocoQuantity::CONTACT_FORCES:
      return data.cfrc_ext[at];
    case MujocoQuantity::ACTUATOR_FORCES:
      return data.qfrc_actuator[at];
    case MujocoQuantity::CENTER_OF_MASS:
      break;
  }
  double moment = 0, mass = 0;
  for (int body = 1; body < model.nbody; ++body) {
    moment += model.body_mass[body] * data.xipos[3 * body + at];
    mass += model.body_mass[body];
  }
  return mass > 0 ? moment / mass : 0;
}

double Quantity::Sum(const mjModel& model, const mjData& data) const {
  double sum = 0;
  for (int i = 0; i < count_; ++i) sum += At(model, data, i);
  return sum;
}

double Quantity::SumOfSquares(const mjModel& model, const mjData& data) const {
  double sum = 0;
  for (int i = 0; i < count_; ++i) {
    const double value = At(model, data, i);
    sum += value * value;
  }
  return sum;
}

}  // namespace cadre
