// The columns of on-policy experience: what actors write and learners read. Both
// derive the same spec from the same config, and the servers compare them.
#pragma once

#include "common/spaces.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

// In this order:
//   obs                [O] of the environment's dtype, raw; per observation
//   action             int32 [], or float32 [A] before clipping to the bounds
//   reward             float32 [], raw
//   log_prob           float32 [], of the action under the policy that chose it; 0 where it was
//                      chosen by action values
//   version            int64 [], of the parameters that chose it
//   discounted_return  float32 [], G = r + gamma G through the episode so far; only
//                      where rewards are normalised
struct OnPolicyColumns {
  static constexpr int kObservation = 0;
  static constexpr int kAction = 1;
  static constexpr int kReward = 2;
  static constexpr int kLogProb = 3;
  static constexpr int kVersion = 4;
  static constexpr int kDiscountedReturn = 5;
};

v1::ExperienceSpec OnPolicySpec(const ExperimentConfig& config, const ObservationSpace& observation,
                                const ActionSpace& action);

}  // namespace cadre
