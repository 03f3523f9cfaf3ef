#include "policy/off_policy_columns.h"

#include "policy/column_specs.h"

namespace cadre {

v1::ExperienceSpec OffPolicySpec(const ObservationSpace& observation, const ActionSpace& action) {
  v1::ExperienceSpec spec;
  AddObservationColumns(spec, observation, action);
  AddActionColumn(spec, action);
  AddColumn(spec, "reward", v1::DTYPE_FLOAT32);
  AddColumn(spec, "version", v1::DTYPE_INT64);
  return spec;
}

}  // namespace cadre
