#include "common/experience/replay_batch.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/experience/experience_spec.h"

namespace cadre {
namespace {

v1::ColumnSpec MakeColumn(const std::string& name, v1::DType dtype) {
  v1::ColumnSpec column;
  column.set_name(name);
  column.set_dtype(dtype);
  return column;
}

// The column of one row of `source`, under `name`.
v1::ColumnSpec RowOf(const v1::ColumnSpec& source, const std::string& name) {
  v1::ColumnSpec column = source;
  column.set_name(name);
  column.set_per_observation(false);
  return column;
}

v1::ColumnSpec RowsOf(const v1::ColumnSpec& source, int64_t steps) {
  v1::ColumnSpec column = RowOf(source, source.name());
  column.clear_shape();
  column.add_shape(source.per_observation() ? steps + 1 : steps);
  column.mutable_shape()->MergeFrom(source.shape());
  return column;
}

std::vector<v1::ColumnSpec> TransitionColumns(const v1::ExperienceSpec& spec) {
  std::vector<v1::ColumnSpec> columns;
  for (const v1::ColumnSpec& column : spec.columns())
    columns.push_back(RowOf(column, column.name()));
  for (const v1::ColumnSpec& column : spec.columns())
    if (column.per_observation())
      columns.push_back(RowOf(column, absl::StrCat("next_", column.name())));
  columns.push_back(MakeColumn("discount", v1::DTYPE_FLOAT32));
  return columns;
}

std::vector<v1::ColumnSpec> SequenceColumns(const TableConfig::Sequences& config,
                                            const v1::ExperienceSpec& spec) {
  const int64_t steps = int64_t{config.burn_in()} + config.length();
  std::vector<v1::ColumnSpec> columns;
  for (const v1::ColumnSpec& column : spec.columns()) {
    const auto& states = config.state_columns();
    const bool state = std::find(states.begin(), states.end(), column.name()) != states.end();
    columns.push_back(state ? RowOf(column, column.name()) : RowsOf(column, steps));
  }
  columns.push_back(MakeColumn("length", v1::DTYPE_INT32));
  columns.push_back(MakeColumn("terminated", v1::DTYPE_UINT8));
  return columns;
}

absl::Status CheckReward(const v1::ExperienceSpec& spec, int n_step) {
  const int reward = ColumnIndex(spec, "reward");
  const bool fits = reward >= 0 && spec.columns(reward).dtype() == v1::DTYPE_FLOAT32 &&
                    spec.columns(reward).shape().empty() && !spec.columns(reward).per_observation();
  if (fits || n_step == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("items of ", n_step,
                                                 " steps want a column reward float32[]; got {",
                                                 DescribeSpec(spec), "}"));
}

absl::Status CheckNames(const std::vector<v1::ColumnSpec>& columns) {
  absl::flat_hash_set<std::string> names;
  for (const v1::ColumnSpec& column : columns)
    if (!names.insert(column.name()).second)
      return absl::InvalidArgumentError(absl::StrCat(
          "column '", column.name(), "' would come twice in a batch; wanted another name"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<v1::ColumnSpec>> BatchColumns(const TableConfig& config,
                                                         const v1::ExperienceSpec& spec) {
  for (const std::string& state : config.sequences().state_columns())
    if (ColumnIndex(spec, state) < 0)
      return absl::InvalidArgumentError(
          absl::StrCat("state column '", state, "' is not in the spec {", DescribeSpec(spec), "}"));
  if (!config.has_sequences())
    if (absl::Status status = CheckReward(spec, config.transitions().n_step()); !status.ok())
      return status;
  std::vector<v1::ColumnSpec> columns =
      config.has_sequences() ? SequenceColumns(config.sequences(), spec) : TransitionColumns(spec);
  if (absl::Status status = CheckNames(columns); !status.ok()) return status;
  return columns;
}

}  // namespace cadre
