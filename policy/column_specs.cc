#include "policy/column_specs.h"

#include "absl/strings/str_cat.h"

namespace cadre {

v1::ColumnSpec& AddColumn(v1::ExperienceSpec& spec, const std::string& name, v1::DType dtype,
                          const std::vector<int64_t>& shape) {
  v1::ColumnSpec& column = *spec.add_columns();
  column.set_name(name);
  column.set_dtype(dtype);
  column.mutable_shape()->Add(shape.begin(), shape.end());
  return column;
}

std::string ShownName(const ObservationColumn& column) {
  if (column.name == "obs" || column.name == kMaskColumn) return column.name;
  return absl::StrCat("obs.", column.name);
}

void AddObservationColumns(v1::ExperienceSpec& spec, const ObservationSpace& observation,
                           const ActionSpace& action) {
  for (const ObservationColumn& column : ShownColumns(observation, action))
    AddColumn(spec, ShownName(column), column.dtype, column.shape).set_per_observation(true);
}

void AddActionColumn(v1::ExperienceSpec& spec, const ActionSpace& action) {
  if (action.kind == ActionSpace::Kind::kDiscrete)
    AddColumn(spec, "action", v1::DTYPE_INT32);
  else if (action.discrete())
    AddColumn(spec, "action", v1::DTYPE_INT32, {action.choices()});
  else
    AddColumn(spec, "action", v1::DTYPE_FLOAT32, {action.dimensions});
}

}  // namespace cadre
