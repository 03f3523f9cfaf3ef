// How a setting changes over a run. Pure.
#pragma once

#include "proto/config.pb.h"

namespace cadre {

// What becomes of `initial` after `progress` of the run, which is clamped to [0, 1].
double ScheduledValue(double initial, const ScheduleConfig& schedule, double progress);

}  // namespace cadre
