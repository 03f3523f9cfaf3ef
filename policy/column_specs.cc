#include "policy/column_specs.h"

namespace cadre {

v1::ColumnSpec& AddColumn(v1::ExperienceSpec& spec, const std::string& name, v1::DType dtype,
                          const std::vector<int64_t>& shape) {
  v1::ColumnSpec& column = *spec.add_columns();
  column.set_name(name);
  column.set_dtype(dtype);
  column.mutable_shape()->Add(shape.begin(), shape.end());
  return column;
}

void AddObservationColumn(v1::ExperienceSpec& spec, const ObservationSpace& observation) {
  for (const ObservationColumn& column : observation.columns)
    AddColumn(spec, "obs", column.dtype, column.shape).set_per_observation(true);
}

void AddActionColumn(v1::ExperienceSpec& spec, const ActionSpace& action) {
  if (action.discrete())
    AddColumn(spec, "action", v1::DTYPE_INT32);
  else
    AddColumn(spec, "action", v1::DTYPE_FLOAT32, {action.dimensions});
}

}  // namespace cadre
