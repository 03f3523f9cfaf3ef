// MujocoQuantity of proto/config.proto: some numbers of a simulation, found once.
#pragma once

#include <mujoco/mujoco.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/config.pb.h"

namespace cadre {

class Quantity {
 public:
  // `field` names it in errors: "observation[1]". INVALID_ARGUMENT where `model` has no such
  // sensor or body, or not as many numbers.
  static absl::StatusOr<Quantity> Find(const MujocoQuantity& config, const mjModel& model,
                                       absl::string_view field);

  int count() const { return count_; }
  bool contact_forces() const { return kind_ == MujocoQuantity::CONTACT_FORCES; }

  // Number `i` of it, in [0, count).
  double At(const mjModel& model, const mjData& data, int i) const;
  double Sum(const mjModel& model, const mjData& data) const;
  double SumOfSquares(const mjModel& model, const mjData& data) const;

 private:
  MujocoQuantity::Kind kind_ = MujocoQuantity::POSITIONS;
  int first_ = 0;  // In mjData's array of this kind.
  int count_ = 0;
};

}  // namespace cadre
