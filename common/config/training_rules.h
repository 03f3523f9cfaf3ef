// Rules between the fields that say how a run trains: updates and their minibatches, queue and
// replay, learners that share a model. What a policy acts with has rules of its own, in
// config_validation.cc. Pure.
#pragma once

#include "common/config/error_list.h"
#include "common/config/run_feasibility.h"
#include "proto/config.pb.h"

namespace cadre {

// Adds a line for each one that is broken. Without `bytes` the replay table's memory is not
// checked. Of fields that are out of their ranges some rules say nothing.
void CheckTrainingRules(const ExperimentConfig& config, const StepBytes& bytes, ErrorList* errors);

}  // namespace cadre
