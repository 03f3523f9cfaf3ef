#include "learner/batches/collate.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/config/replay_config.h"
#include "common/experience/experience_spec.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"
#include "learner/algorithms/policy_gradient/batch_sequences.h"
#include "learner/batches/action_tensors.h"
#include "policy/on_policy_columns.h"

namespace cadre {
namespace {

OnPolicyColumns ColumnsOf(const v1::ExperienceSpec& spec) {
  int shown = 0;
  while (spec.columns(shown).per_observation()) ++shown;
  return OnPolicyColumns(shown);
}

// Appends one float32 column of a rollout at `out`.
void CopyFloats(const v1::Rollout& rollout, int column, float*& out) {
  const absl::Span<const float> values = ColumnAs<float>(rollout.columns(column));
  std::memcpy(out, values.data(), values.size() * sizeof(float));
  out += values.size();
}

// Whether a rollout fits the spec, with finite numbers and actions that there are.
absl::Status CheckUsable(const v1::ExperienceSpec& spec, const ActionSpace& action,
                         const v1::Rollout& rollout) {
  CADRE_RETURN_IF_ERROR(ValidateRollout(spec, rollout));
  if (!action.discrete()) return absl::OkStatus();
  const auto actions = ColumnAs<int32_t>(rollout.columns(ColumnsOf(spec).action));
  return CheckDiscreteActions(action, actions);
}

// Removes the rollouts that are of no use from `rollouts`.
void DropUnusable(const v1::ExperienceSpec& spec, const ActionSpace& action,
                  std::vector<v1::Rollout>& rollouts, CollatedBatch& out) {
  const auto unusable = [&](const v1::Rollout& rollout) {
    out.taken_steps += RolloutSteps(rollout);
    const absl::Status status = CheckUsable(spec, action, rollout);
    if (status.ok()) return false;
    out.dropped.push_back(absl::StrCat("actor ", rollout.actor(), ", rollout ", rollout.sequence(),
                                       ": ", status.message()));
    return true;
  };
  rollouts.erase(std::remove_if(rollouts.begin(), rollouts.end(), unusable), rollouts.end());
}

// What the environments of the rollouts showed, one rollout after the other.
ObservationBatch CollateObservations(const v1::ExperienceSpec& spec, bool masked, int64_t rows,
                                     const std::vector<v1::Rollout>& rollouts) {
  std::vector<torch::Tensor> tensors;
  for (int c = 0; c < ColumnsOf(spec).action; ++c) {
    std::vector<int64_t> shape(spec.columns(c).shape().begin(), spec.columns(c).shape().end());
    shape.insert(shape.begin(), rows);
    const bool bytes = spec.columns(c).dtype() == v1::DTYPE_UINT8;
    CADRE_CHECK(bytes || spec.columns(c).dtype() == v1::DTYPE_FLOAT32);
    torch::Tensor& tensor =
        tensors.emplace_back(torch::empty(shape, bytes ? torch::kUInt8 : torch::kFloat32));
    auto* out = static_cast<char*>(tensor.data_ptr());
    for (const v1::Rollout& rollout : rollouts) {
      std::memcpy(out, rollout.columns(c).data(), rollout.columns(c).size());
      out += rollout.columns(c).size();
    }
  }
  return {std::move(tensors), masked};
}

// Segments and the row of each step's observation.
void AddSegments(const v1::Rollout& rollout, OnPolicyBatch& batch, int64_t& step, int64_t*& rows) {
  for (const v1::Segment& segment : rollout.segments()) {
    const int64_t index = static_cast<int64_t>(batch.segments.size());
    batch.segments.push_back({.first_step = step,
                              .length = segment.length(),
                              .terminated = segment.end() == v1::SEGMENT_END_TERMINATED,
                              .cut = segment.end() == v1::SEGMENT_END_CUT,
                              .origin = {rollout.actor(), segment.environment(),
                                         rollout.writer_id(), rollout.sequence()}});
    for (int64_t t = 0; t < segment.length(); ++t) *rows++ = step + index + t;
    step += segment.length();
  }
}

}  // namespace

absl::StatusOr<CollatedBatch> Collate(const v1::ExperienceSpec& spec, const ActionSpace& action,
                                      const ObservationTransform& transform,
                                      std::vector<v1::Rollout>& rollouts) {
  if (rollouts.empty())
    return absl::InvalidArgumentError("got no rollouts to learn from; wanted 1 or more");
  std::sort(rollouts.begin(), rollouts.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.actor(), a.writer_id(), a.sequence()) <
           std::tuple(b.actor(), b.writer_id(), b.sequence());
  });
  CollatedBatch out;
  DropUnusable(spec, action, rollouts, out);
  int64_t steps = 0, observations = 0;
  for (const v1::Rollout& rollout : rollouts) {
    steps += RolloutSteps(rollout);
    observations += RolloutObservations(rollout);
  }
  const OnPolicyColumns columns = ColumnsOf(spec);
  const bool with_returns = ColumnIndex(spec, "discounted_return") >= 0;
  const int state = ColumnIndex(spec, kStateColumn);

  OnPolicyBatch& batch = out.batch;
  out.oldest_version = std::numeric_limits<int64_t>::max();
  out.raw_observations = CollateObservations(spec, action.masked, observations, rollouts);
  if (with_returns) out.discounted_returns = torch::empty({steps});
  batch.observation_rows = torch::empty({steps}, torch::kInt64);
  batch.actions = EmptyActions(action, steps);
  batch.rewards = torch::empty({steps});
  batch.log_probs = torch::empty({steps});
  batch.versions = torch::empty({steps}, torch::kInt64);
  if (state >= 0) batch.states = torch::empty({steps, RowElements(spec.columns(state))});

  float* reward = batch.rewards.data_ptr<float>();
  float* log_prob = batch.log_probs.data_ptr<float>();
  float* states = state >= 0 ? batch.states.data_ptr<float>() : nullptr;
  float* discounted = with_returns ? out.discounted_returns.data_ptr<float>() : nullptr;
  int64_t* discrete = action.discrete() ? batch.actions.data_ptr<int64_t>() : nullptr;
  float* continuous = action.discrete() ? nullptr : batch.actions.data_ptr<float>();
  int64_t* rows = batch.observation_rows.data_ptr<int64_t>();
  int64_t* versions = batch.versions.data_ptr<int64_t>();
  int64_t step = 0;
  for (const v1::Rollout& rollout : rollouts) {
    AddSegments(rollout, batch, step, rows);
    if (discrete != nullptr) {
      for (const int32_t index : ColumnAs<int32_t>(rollout.columns(columns.action)))
        *discrete++ = index;
    } else {
      CopyFloats(rollout, columns.action, continuous);
    }
    CopyFloats(rollout, columns.reward, reward);
    CopyFloats(rollout, columns.log_prob, log_prob);
    if (with_returns) CopyFloats(rollout, columns.discounted_return, discounted);
    if (state >= 0) CopyFloats(rollout, state, states);
    for (int64_t version : ColumnAs<int64_t>(rollout.columns(columns.version))) {
      out.oldest_version = std::min(out.oldest_version, version);
      *versions++ = version;
    }
    out.episodes.insert(out.episodes.end(), rollout.episodes().begin(), rollout.episodes().end());
  }

  batch.observations = Normalized(transform, out.raw_observations);
  if (state >= 0 && steps > 0)
    batch.observations.sequences = SequencesOf(batch.segments, batch.states);
  return out;
}

ObservationBatch Normalized(const ObservationTransform& transform, const ObservationBatch& raw) {
  ObservationBatch out = raw;
  if (transform.identity()) return out;
  int64_t first = 0;
  for (torch::Tensor& column : out.columns) {
    if (column.scalar_type() != torch::kFloat32) continue;
    const torch::Tensor from = column;
    column = torch::empty_like(from);
    const size_t size = static_cast<size_t>(from.numel());
    const auto row = from.sizes().slice(1);
    const int64_t elements =
        std::accumulate(row.begin(), row.end(), int64_t{1}, std::multiplies<>());
    transform.Apply({from.data_ptr<float>(), size}, {column.data_ptr<float>(), size}, first,
                    elements);
    first += elements;
  }
  return out;
}

}  // namespace cadre
