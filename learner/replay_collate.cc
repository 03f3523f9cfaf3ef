#include "learner/replay_collate.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "policy/off_policy_columns.h"

namespace cadre {
namespace {

using Columns = OffPolicyColumns;

// A tensor on the column's own memory.
template <typename T>
torch::Tensor Wrap(absl::Span<const T> values, std::vector<int64_t> shape) {
  return torch::from_blob(const_cast<T*>(values.data()), shape,
                          torch::CppTypeToScalarType<T>::value);
}

absl::Status CheckColumn(const ReplayBatch& batch, int index, const char* name, v1::DType dtype,
                         int64_t row_elements) {
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

// [B, O] float32 from the environment's dtype.
absl::StatusOr<torch::Tensor> Observations(const ObservationColumn& space, const ReplayBatch& batch,
                                           int index, const char* name) {
  const TensorView& column = batch.columns[index];
  const std::vector<int64_t> shape{batch.items, space.elements()};
  if (space.dtype == v1::DTYPE_UINT8) return Wrap(column.As<uint8_t>(), shape).to(torch::kFloat32);
  if (space.dtype != v1::DTYPE_FLOAT32)
    return absl::InvalidArgumentError(absl::StrCat("batch column '", name, "': got ",
                                                   v1::DType_Name(space.dtype),
                                                   "; wanted FLOAT32 or UINT8"));
  return Wrap(column.As<float>(), shape);
}

absl::StatusOr<torch::Tensor> DiscreteActions(const ActionSpace& space, const ReplayBatch& batch) {
  const absl::Span<const int32_t> from = batch.columns[Columns::kAction].As<int32_t>();
  torch::Tensor actions = torch::empty({batch.items}, torch::kInt64);
  int64_t* to = actions.data_ptr<int64_t>();
  for (int32_t action : from) {
    if (action < 0 || action >= space.counts[0])
      return absl::InvalidArgumentError(absl::StrCat("batch column 'action' has ", action,
                                                     "; wanted 0 to ", space.counts[0] - 1));
    *to++ = action;
  }
  return actions;
}

}  // namespace

absl::Status CheckReplayColumns(const ReplaySpaces& spaces, const ReplayBatch& batch) {
  const ObservationColumn& observation = spaces.observation.columns[0];
  const ActionSpace& action = spaces.action;
  for (const auto& [index, name] :
       {std::pair(Columns::kObservation, "obs"), {Columns::kNextObservation, "next_obs"}})
    CADRE_RETURN_IF_ERROR(
        CheckColumn(batch, index, name, observation.dtype, observation.elements()));
  CADRE_RETURN_IF_ERROR(CheckColumn(batch, Columns::kAction, "action",
                                    action.discrete() ? v1::DTYPE_INT32 : v1::DTYPE_FLOAT32,
                                    action.discrete() ? 1 : action.dimensions));
  CADRE_RETURN_IF_ERROR(CheckColumn(batch, Columns::kReward, "reward", v1::DTYPE_FLOAT32, 1));
  return CheckColumn(batch, Columns::kDiscount, "discount", v1::DTYPE_FLOAT32, 1);
}

absl::StatusOr<OffPolicyBatch> CollateReplay(const ReplaySpaces& spaces, const ReplayBatch& batch) {
  CADRE_RETURN_IF_ERROR(CheckReplayColumns(spaces, batch));
  const ActionSpace& action = spaces.action;
  OffPolicyBatch out;
  CADRE_ASSIGN_OR_RETURN(out.observations, Observations(spaces.observation.columns[0], batch,
                                                        Columns::kObservation, "obs"));
  CADRE_ASSIGN_OR_RETURN(
      out.next_observations,
      Observations(spaces.observation.columns[0], batch, Columns::kNextObservation, "next_obs"));
  if (action.discrete()) {
    CADRE_ASSIGN_OR_RETURN(out.actions, DiscreteActions(action, batch));
  } else {
    out.actions =
        Wrap(batch.columns[Columns::kAction].As<float>(), {batch.items, action.dimensions});
  }
  out.rewards = Wrap(batch.columns[Columns::kReward].As<float>(), {batch.items});
  out.discounts = Wrap(batch.columns[Columns::kDiscount].As<float>(), {batch.items});
  out.weights = Wrap(batch.weights, {batch.items});
  return out;
}

}  // namespace cadre
