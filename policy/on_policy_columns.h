// The columns of on-policy experience: what actors write and learners read. Both
// derive the same spec from the same config, and the servers compare them.
#pragma once

#include "common/spaces.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

// In this order:
//   what the environment shows, raw; per observation (column_specs.h)
//   action             int32 [] or [K], or float32 [A] before clipping to the bounds
//   reward             float32 [], raw
//   log_prob           float32 [], of the action under the policy that chose it; 0 where it was
//                      chosen by action values
//   version            int64 [], of the parameters that chose it
//   discounted_return  float32 [], G = r + gamma G through the episode so far; only
//                      where rewards are normalised
//   state              float32 [M], what the network's memory was before the step; only with a
//                      memory, and the last column
struct OnPolicyColumns {
  // Of an environment that shows so many columns; they are the first.
  explicit constexpr OnPolicyColumns(int shown = 1) : action(shown) {}

  int action;
  int reward = action + 1;
  int log_prob = action + 2;
  int version = action + 3;
  int discounted_return = action + 4;  // Or the state, if there is no such column.
};

v1::ExperienceSpec OnPolicySpec(const ExperimentConfig& config, const ObservationSpace& observation,
                                const ActionSpace& action);

}  // namespace cadre
