// How experience specs are written, for those of on-policy and off-policy columns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/spaces.h"
#include "proto/experience.pb.h"

namespace cadre {

// Appends a column with a row of `shape` for each step.
v1::ColumnSpec& AddColumn(v1::ExperienceSpec& spec, const std::string& name, v1::DType dtype,
                          const std::vector<int64_t>& shape = {});

// "obs", with a row for each observation.
void AddObservationColumn(v1::ExperienceSpec& spec, const ObservationSpace& observation);

// "action": int32 [], or float32 [A].
void AddActionColumn(v1::ExperienceSpec& spec, const ActionSpace& action);

}  // namespace cadre
