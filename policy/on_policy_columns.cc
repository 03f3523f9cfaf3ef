#include "policy/on_policy_columns.h"

#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "policy/column_specs.h"

namespace cadre {

v1::ExperienceSpec OnPolicySpec(const ExperimentConfig& config, const ObservationSpace& observation,
                                const ActionSpace& action) {
  v1::ExperienceSpec spec;
  AddObservationColumns(spec, observation, action);
  AddActionColumn(spec, action);
  AddColumn(spec, "reward", v1::DTYPE_FLOAT32);
  AddColumn(spec, "log_prob", v1::DTYPE_FLOAT32);
  AddColumn(spec, "version", v1::DTYPE_INT64);
  if (config.normalization().rewards()) AddColumn(spec, "discounted_return", v1::DTYPE_FLOAT32);
  if (const int64_t size = RecurrentStateSize(config); size > 0)
    AddColumn(spec, kStateColumn, v1::DTYPE_FLOAT32, {size});
  return spec;
}

}  // namespace cadre
