// The columns of off-policy experience: what actors write, tables keep and learners
// read. Both ends derive the same spec from the same config.
#pragma once

#include "common/spaces.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

// In this order:
//   what the environment shows, raw; per observation (column_specs.h)
//   action   int32 [] or [K], or float32 [A] within the bounds
//   reward   float32 [], raw
//   version  int64 [], of the parameters that chose the action; 0: it was random
//   discounted_return  float32 [], G = r + gamma G through the episode so far; only where
//                      rewards are normalised
//   state    float32 [M], what the network's memory was before the step; only with a memory
// A batch of transitions (common/experience/replay_batch.h) has these, then what the environment
// showed next, then discount. A batch of sequences has these, then length and terminated.
struct OffPolicyColumns {
  // Of an environment that shows so many columns; they are the first.
  explicit constexpr OffPolicyColumns(int shown = 1, bool normalizes_rewards = false)
      : action(shown),
        discounted_return(normalizes_rewards ? action + 3 : -1),
        next_observation(action + 3 + (normalizes_rewards ? 1 : 0)),
        discount(next_observation + shown) {}

  int action;
  int reward = action + 1;
  int version = action + 2;
  int discounted_return;  // -1: there is none.
  int next_observation;   // In batches: the first of them.
  int discount;           // In batches.
  // In batches of sequences.
  int state = next_observation;
  int length = state + 1;
  int terminated = state + 2;
};

// `state_size`: M; 0 without a memory.
v1::ExperienceSpec OffPolicySpec(const ObservationSpace& observation, const ActionSpace& action,
                                 int64_t state_size = 0, bool normalizes_rewards = false);

}  // namespace cadre
