// The columns of off-policy experience: what actors write, tables keep and learners
// read. Both ends derive the same spec from the same config.
#pragma once

#include "common/spaces.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

// In this order:
//   obs      [O] of the environment's dtype, raw; per observation
//   action   int32 [], or float32 [A] within the bounds
//   reward   float32 [], raw
//   version  int64 [], of the parameters that chose the action; 0: it was random
// A batch of transitions (common/replay_batch.h) has these, then next_obs, discount.
struct OffPolicyColumns {
  static constexpr int kObservation = 0;
  static constexpr int kAction = 1;
  static constexpr int kReward = 2;
  static constexpr int kVersion = 3;
  static constexpr int kNextObservation = 4;  // In batches.
  static constexpr int kDiscount = 5;         // In batches.
};

v1::ExperienceSpec OffPolicySpec(const ObservationSpace& observation, const ActionSpace& action);

}  // namespace cadre
