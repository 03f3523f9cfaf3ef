// Whether a run can make an update before it ends, and whether what it waits for can come.
// Of configs whose fields are in their ranges. Pure.
#pragma once

#include <cstdint>

#include "common/error_list.h"
#include "proto/config.pb.h"

namespace cadre {

// Environment steps with which the first update is made; less than stop.env_steps where the
// run makes one.
int64_t StepsBeforeFirstUpdate(const ExperimentConfig& config);

// Bytes of one observation and of one action; 0 where they are not known.
struct StepBytes {
  int64_t observation = 0;
  int64_t action = 0;
};

// A line for each thing that the run would wait for in vain.
void CheckFeasible(const ExperimentConfig& config, const StepBytes& bytes, ErrorList* errors);

}  // namespace cadre
