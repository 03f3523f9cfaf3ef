#include "learner/batches/replay_collate.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "common/status_macros.h"
#include "learner/batches/action_tensors.h"
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

// What environments showed, from column `first` of the batch on, in so many rows of each item.
ObservationBatch Observations(const ReplaySpaces& spaces, const ReplayBatch& batch, int first,
                              int64_t rows) {
  std::vector<torch::Tensor> tensors;
  for (const ObservationColumn& column : spaces.shown) {
    const TensorView& view = batch.columns[first + static_cast<int>(tensors.size())];
    std::vector<int64_t> shape = column.shape;
    shape.insert(shape.begin(), batch.items * rows);
    tensors.push_back(column.dtype == v1::DTYPE_UINT8 ? Wrap(view.As<uint8_t>(), shape)
                                                      : Wrap(view.As<float>(), shape));
  }
  return {std::move(tensors), spaces.action.masked};
}

absl::StatusOr<torch::Tensor> DiscreteActions(const ActionSpace& space, const ReplayBatch& batch,
                                              int column, int64_t rows) {
  const absl::Span<const int32_t> from = batch.columns[column].As<int32_t>();
  if (absl::Status status = CheckDiscreteActions(space, from); !status.ok())
    return absl::InvalidArgumentError(absl::StrCat("batch ", status.message()));
  torch::Tensor actions = EmptyActions(space, rows);
  std::copy(from.begin(), from.end(), actions.data_ptr<int64_t>());
  return actions;
}

// [B L, ...], item by item, to [L B, ...], step by step.
torch::Tensor StepByStep(const torch::Tensor& rows, int64_t items) {
  std::vector<int64_t> shape = rows.sizes().vec();
  shape[0] /= items;
  shape.insert(shape.begin(), items);
  return rows.view(shape).transpose(0, 1).flatten(0, 1).contiguous();
}

absl::StatusOr<OffPolicyBatch> CollateSequences(const ReplaySpaces& spaces,
                                                const ReplayBatch& batch) {
  const OffPolicyColumns& columns = spaces.columns;
  const int64_t items = batch.items, rows = items * spaces.steps;
  const ObservationBatch observations = Observations(spaces, batch, 0, spaces.steps + 1);
  std::vector<torch::Tensor> shown;
  for (const torch::Tensor& tensor : observations.tensors())
    shown.push_back(StepByStep(tensor, items));
  OffPolicyBatch out;
  out.observations = {std::move(shown), spaces.action.masked};
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor actions,
                         DiscreteActions(spaces.action, batch, columns.action, rows));
  out.actions = StepByStep(actions, items);
  out.rewards = StepByStep(Wrap(batch.columns[columns.reward].As<float>(), {rows}), items);
  out.weights = Wrap(batch.weights, {items});
  out.states = Wrap(batch.columns[columns.state].As<float>(), {items, spaces.state_size});
  out.lengths = Wrap(batch.columns[columns.length].As<int32_t>(), {items}).to(torch::kInt64);
  out.terminated = Wrap(batch.columns[columns.terminated].As<uint8_t>(), {items});
  return out;
}

}  // namespace

ReplaySpaces::ReplaySpaces(ObservationSpace observation_space, ActionSpace action_space,
                           int64_t sequence_steps, int64_t memory_size, bool normalizes_rewards)
    : observation(std::move(observation_space)),
      action(std::move(action_space)),
      steps(sequence_steps),
      state_size(memory_size),
      shown(ShownColumns(observation, action)),
      columns(static_cast<int>(shown.size()), normalizes_rewards),
      read({{columns.action, "action"}, {columns.reward, "reward"}}) {
  if (normalizes_rewards) read.emplace_back(columns.discounted_return, "discounted_return");
  if (sequences())
    read.emplace_back(columns.state, kStateColumn);
  else
    read.emplace_back(columns.discount, "discount");
  for (int c = 0; c < columns.action; ++c) {
    const std::string name = ShownName(shown[c]);
    read.emplace_back(c, name);
    if (!sequences()) read.emplace_back(columns.next_observation + c, absl::StrCat("next_", name));
  }
  std::sort(read.begin(), read.end());
}

absl::Status CheckReplayColumns(const ReplaySpaces& spaces, const ReplayBatch& batch) {
  const ActionSpace& action = spaces.action;
  const std::vector<ObservationColumn>& shown = spaces.shown;
  const OffPolicyColumns& columns = spaces.columns;
  // Rows of an item.
  const int64_t steps = spaces.sequences() ? spaces.steps : 1;
  const int64_t observations = spaces.sequences() ? steps + 1 : 1;
  for (size_t c = 0; c < shown.size(); ++c) {
    const std::string name = ShownName(shown[c]);
    if (shown[c].dtype != v1::DTYPE_FLOAT32 && shown[c].dtype != v1::DTYPE_UINT8)
      return absl::InvalidArgumentError(absl::StrCat("batch column '", name, "': got ",
                                                     v1::DType_Name(shown[c].dtype),
                                                     "; wanted FLOAT32 or UINT8"));
    const int index = static_cast<int>(c);
    CADRE_RETURN_IF_ERROR(
        CheckColumn(batch, index, name, shown[c].dtype, observations * shown[c].elements()));
    if (!spaces.sequences())
      CADRE_RETURN_IF_ERROR(CheckColumn(batch, columns.next_observation + index,
                                        absl::StrCat("next_", name), shown[c].dtype,
                                        shown[c].elements()));
  }
  CADRE_RETURN_IF_ERROR(CheckColumn(
      batch, columns.action, "action", action.discrete() ? v1::DTYPE_INT32 : v1::DTYPE_FLOAT32,
      steps * (action.discrete() ? action.choices() : action.dimensions)));
  CADRE_RETURN_IF_ERROR(CheckColumn(batch, columns.reward, "reward", v1::DTYPE_FLOAT32, steps));
  if (columns.discounted_return >= 0)
    CADRE_RETURN_IF_ERROR(CheckColumn(batch, columns.discounted_return, "discounted_return",
                                      v1::DTYPE_FLOAT32, steps));
  if (!spaces.sequences())
    return CheckColumn(batch, columns.discount, "discount", v1::DTYPE_FLOAT32, 1);
  CADRE_RETURN_IF_ERROR(
      CheckColumn(batch, columns.state, kStateColumn, v1::DTYPE_FLOAT32, spaces.state_size));
  CADRE_RETURN_IF_ERROR(CheckColumn(batch, columns.length, "length", v1::DTYPE_INT32, 1));
  return CheckColumn(batch, columns.terminated, "terminated", v1::DTYPE_UINT8, 1);
}

absl::StatusOr<OffPolicyBatch> CollateReplay(const ReplaySpaces& spaces, const ReplayBatch& batch) {
  CADRE_RETURN_IF_ERROR(CheckReplayColumns(spaces, batch));
  if (spaces.sequences()) return CollateSequences(spaces, batch);
  const ActionSpace& action = spaces.action;
  const OffPolicyColumns& columns = spaces.columns;
  OffPolicyBatch out;
  out.observations = Observations(spaces, batch, 0, /*rows=*/1);
  out.next_observations = Observations(spaces, batch, columns.next_observation, /*rows=*/1);
  if (action.discrete()) {
    CADRE_ASSIGN_OR_RETURN(out.actions,
                           DiscreteActions(action, batch, columns.action, batch.items));
  } else {
    out.actions = Wrap(batch.columns[columns.action].As<float>(), {batch.items, action.dimensions});
  }
  out.rewards = Wrap(batch.columns[columns.reward].As<float>(), {batch.items});
  out.discounts = Wrap(batch.columns[columns.discount].As<float>(), {batch.items});
  out.weights = Wrap(batch.weights, {batch.items});
  return out;
}

torch::Tensor DiscountedReturns(const ReplaySpaces& spaces, const ReplayBatch& batch) {
  const int column = spaces.columns.discounted_return;
  if (column < 0) return {};
  const int64_t rows = batch.items * (spaces.sequences() ? spaces.steps : 1);
  const torch::Tensor returns = Wrap(batch.columns[column].As<float>(), {rows});
  return spaces.sequences() ? StepByStep(returns, batch.items) : returns;
}

}  // namespace cadre
