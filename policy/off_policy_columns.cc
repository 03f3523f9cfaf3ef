#include "policy/off_policy_columns.h"

#include "common/config/replay_config.h"
#include "policy/column_specs.h"

namespace cadre {

v1::ExperienceSpec OffPolicySpec(const ObservationSpace& observation, const ActionSpace& action,
                                 int64_t state_size, bool normalizes_rewards) {
  v1::ExperienceSpec spec;
  AddObservationColumns(spec, observation, action);
  AddActionColumn(spec, action);
  AddColumn(spec, "reward", v1::DTYPE_FLOAT32);
  AddColumn(spec, "version", v1::DTYPE_INT64);
  if (normalizes_rewards) AddColumn(spec, "discounted_return", v1::DTYPE_FLOAT32);
  if (state_size > 0) AddColumn(spec, kStateColumn, v1::DTYPE_FLOAT32, {state_size});
  return spec;
}

}  // namespace cadre
