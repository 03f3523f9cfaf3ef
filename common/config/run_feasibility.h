// Whether a run can make an update before it ends, and whether what it waits for can come.
// Of configs whose fields are in their ranges. Pure.
#pragma once

#include <cstdint>

#include "common/config/error_list.h"
#include "proto/config.pb.h"

namespace cadre {

// The least stop.env_steps with which a run makes an update. On-policy 1: a round that has begun
// is completed and learned from.
int64_t StepsBeforeFirstUpdate(const ExperimentConfig& config);

// Bytes of one observation, with its mask if there is one, and of one action; 0 where they are
// not known.
struct StepBytes {
  int64_t observation = 0;
  int64_t action = 0;
  int64_t observation_columns = 1;  // That the observation is in.
};

// A line for each thing that the run would wait for in vain.
void CheckFeasible(const ExperimentConfig& config, const StepBytes& bytes, ErrorList* errors);

}  // namespace cadre
