#include "learner/replay_collate.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "learner/action_tensors.h"
#include "policy/column_specs.h"

namespace cadre {
namespace {

// A tensor on the column's own memory.
template <typename T>
torch::Tensor Wrap(absl::Span<const T> values, std::vector<int64_t> shape) {
  return torch::from_blob(const_cast<T*>(values.data()), shape,
                          torch::CppTypeToScalarType<T>::value);
}

absl::Status CheckColumn(const ReplayBatch& batch, int index, const std::string& name,
                         v1::DType dtype, int64_t row_elements) {
  if (index < static_cast<int>(batch.columns.size())) {
    const TensorView& column = batch.columns[index];
    int64_t elements = 1;
    for (int64_t dimension : column.shape) elements *= dimension;
    if (column.dtype == dtype && elements == batch.items * row_elements) return absl::OkStatus();
  }
  const std::string got = index < static_cast<int>(batch.columns.size())
                              ? absl::StrCat(v1::DType_Name(batch.columns[index].dtype), "[",
                                             absl::StrJoin(batch.columns[index].shape, ", "), "]")
                              : "nothing";
  return absl::InvalidArgumentError(absl::StrCat("batch column '", name, "': got ", got,
                                                 "; wanted ", batch.items, " rows of ",
                                                 row_elements, " ", v1::DType_Name(dtype)));
}

// What environments showed, from column `first` of the batch on.
ObservationBatch Observations(const ReplaySpaces& spaces, const ReplayBatch& batch, int first) {
  std::vector<torch::Tensor> tensors;
  for (const ObservationColumn& column : spaces.shown) {
    const TensorView& view = batch.columns[first + static_cast<int>(tensors.size())];
    std::vector<int64_t> shape = column.shape;
    shape.insert(shape.begin(), batch.items);
    tensors.push_back(column.dtype == v1::DTYPE_UINT8 ? Wrap(view.As<uint8_t>(), shape)
                                                      : Wrap(view.As<float>(), shape));
  }
  return {std::move(tensors), spaces.action.masked};
}

absl::StatusOr<torch::Tensor> DiscreteActions(const ActionSpace& space, const ReplayBatch& batch,
                                              int column) {
  const absl::Span<const int32_t> from = batch.columns[column].As<int32_t>();
  if (absl::Status status = CheckDiscreteActions(space, from); !status.ok())
    return absl::InvalidArgumentError(absl::StrCat("batch ", status.message()));
  torch::Tensor actions = EmptyActions(space, batch.items);
  std::copy(from.begin(), from.end(), actions.data_ptr<int64_t>());
  return actions;
}

}  // namespace

ReplaySpaces::ReplaySpaces(ObservationSpace observation_space, ActionSpace action_space)
    : observation(std::move(observation_space)),
      action(std::move(action_space)),
      shown(ShownColumns(observation, action)),
      columns(static_cast<int>(shown.size())),
      read({{columns.action, "action"},
            {columns.reward, "reward"},
            {columns.discount, "discount"}}) {
  for (int c = 0; c < columns.action; ++c) {
    const std::string name = ShownName(shown[c]);
    read.emplace_back(c, name);
    read.emplace_back(columns.next_observation + c, absl::StrCat("next_", name));
  }
  std::sort(read.begin(), read.end());
}

absl::Status CheckReplayColumns(const ReplaySpaces& spaces, const ReplayBatch& batch) {
  const ActionSpace& action = spaces.action;
  const std::vector<ObservationColumn>& shown = spaces.shown;
  const OffPolicyColumns& columns = spaces.columns;
  for (size_t c = 0; c < shown.size(); ++c) {
    const std::string name = ShownName(shown[c]);
    if (shown[c].dtype != v1::DTYPE_FLOAT32 && shown[c].dtype != v1::DTYPE_UINT8)
      return absl::InvalidArgumentError(absl::StrCat("batch column '", name, "': got ",
                                                     v1::DType_Name(shown[c].dtype),
                                                     "; wanted FLOAT32 or UINT8"));
    const int index = static_cast<int>(c);
    CADRE_RETURN_IF_ERROR(CheckColumn(batch, index, name, shown[c].dtype, shown[c].elements()));
    CADRE_RETURN_IF_ERROR(CheckColumn(batch, columns.next_observation + index,
                                      absl::StrCat("next_", name), shown[c].dtype,
                                      shown[c].elements()));
  }
  CADRE_RETURN_IF_ERROR(CheckColumn(batch, columns.action, "action",
                                    action.discrete() ? v1::DTYPE_INT32 : v1::DTYPE_FLOAT32,
                                    action.discrete() ? action.choices() : action.dimensions));
  CADRE_RETURN_IF_ERROR(CheckColumn(batch, columns.reward, "reward", v1::DTYPE_FLOAT32, 1));
  return CheckColumn(batch, columns.discount, "discount", v1::DTYPE_FLOAT32, 1);
}

absl::StatusOr<OffPolicyBatch> CollateReplay(const ReplaySpaces& spaces, const ReplayBatch& batch) {
  CADRE_RETURN_IF_ERROR(CheckReplayColumns(spaces, batch));
  const ActionSpace& action = spaces.action;
  const OffPolicyColumns& columns = spaces.columns;
  OffPolicyBatch out;
  out.observations = Observations(spaces, batch, 0);
  out.next_observations = Observations(spaces, batch, columns.next_observation);
  if (action.discrete()) {
    CADRE_ASSIGN_OR_RETURN(out.actions, DiscreteActions(action, batch, columns.action));
  } else {
    out.actions = Wrap(batch.columns[columns.action].As<float>(), {batch.items, action.dimensions});
  }
  out.rewards = Wrap(batch.columns[columns.reward].As<float>(), {batch.items});
  out.discounts = Wrap(batch.columns[columns.discount].As<float>(), {batch.items});
  out.weights = Wrap(batch.weights, {batch.items});
  return out;
}

}  // namespace cadre
