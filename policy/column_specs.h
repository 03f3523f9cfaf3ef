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

// The name of what an environment shows: "obs" for the only column of most environments,
// "obs.<name>" for one of several, "action_mask" for the mask.
std::string ShownName(const ObservationColumn& column);

// What the environment shows, with a row for each observation.
void AddObservationColumns(v1::ExperienceSpec& spec, const ObservationSpace& observation,
                           const ActionSpace& action);

// "action": int32 [], int32 [K] of several choices, or float32 [A].
void AddActionColumn(v1::ExperienceSpec& spec, const ActionSpace& action);

}  // namespace cadre
