#include "policy/on_policy_columns.h"

#include <string>
#include <vector>

namespace cadre {
namespace {

v1::ColumnSpec& AddColumn(v1::ExperienceSpec& spec, const std::string& name, v1::DType dtype,
                          const std::vector<int64_t>& shape = {}) {
  v1::ColumnSpec& column = *spec.add_columns();
  column.set_name(name);
  column.set_dtype(dtype);
  column.mutable_shape()->Add(shape.begin(), shape.end());
  return column;
}

}  // namespace

v1::ExperienceSpec OnPolicySpec(const ExperimentConfig& config, const ObservationSpace& observation,
                                const ActionSpace& action) {
  v1::ExperienceSpec spec;
  AddColumn(spec, "obs", observation.dtype, observation.shape).set_per_observation(true);
  if (action.discrete())
    AddColumn(spec, "action", v1::DTYPE_INT32);
  else
    AddColumn(spec, "action", v1::DTYPE_FLOAT32, {action.dimensions});
  AddColumn(spec, "reward", v1::DTYPE_FLOAT32);
  AddColumn(spec, "log_prob", v1::DTYPE_FLOAT32);
  AddColumn(spec, "version", v1::DTYPE_INT64);
  if (config.normalization().rewards()) AddColumn(spec, "discounted_return", v1::DTYPE_FLOAT32);
  return spec;
}

}  // namespace cadre
