#include "learner/collate.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/experience_spec.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"
#include "policy/on_policy_columns.h"

namespace cadre {
namespace {

using Columns = OnPolicyColumns;

absl::Span<float> Floats(const torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
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
  for (const int32_t index : ColumnAs<int32_t>(rollout.columns(Columns::kAction)))
    if (index < 0 || index >= action.counts[0])
      return absl::InvalidArgumentError(
          absl::StrCat("column 'action' has ", index, "; wanted 0 to ", action.counts[0] - 1));
  return absl::OkStatus();
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
  const bool with_returns = spec.columns_size() > Columns::kDiscountedReturn;

  OnPolicyBatch& batch = out.batch;
  out.oldest_version = std::numeric_limits<int64_t>::max();
  out.raw_observations =
      torch::empty({observations, RowElements(spec.columns(Columns::kObservation))});
  if (with_returns) out.discounted_returns = torch::empty({steps});
  batch.observation_rows = torch::empty({steps}, torch::kInt64);
  batch.actions = action.discrete() ? torch::empty({steps}, torch::kInt64)
                                    : torch::empty({steps, action.dimensions});
  batch.rewards = torch::empty({steps});
  batch.log_probs = torch::empty({steps});
  batch.versions = torch::empty({steps}, torch::kInt64);

  float* observation = out.raw_observations.data_ptr<float>();
  float* reward = batch.rewards.data_ptr<float>();
  float* log_prob = batch.log_probs.data_ptr<float>();
  float* discounted = with_returns ? out.discounted_returns.data_ptr<float>() : nullptr;
  int64_t* discrete = action.discrete() ? batch.actions.data_ptr<int64_t>() : nullptr;
  float* continuous = action.discrete() ? nullptr : batch.actions.data_ptr<float>();
  int64_t* rows = batch.observation_rows.data_ptr<int64_t>();
  int64_t* versions = batch.versions.data_ptr<int64_t>();
  int64_t step = 0;
  for (const v1::Rollout& rollout : rollouts) {
    AddSegments(rollout, batch, step, rows);
    CopyFloats(rollout, Columns::kObservation, observation);
    if (discrete != nullptr) {
      for (const int32_t index : ColumnAs<int32_t>(rollout.columns(Columns::kAction)))
        *discrete++ = index;
    } else {
      CopyFloats(rollout, Columns::kAction, continuous);
    }
    CopyFloats(rollout, Columns::kReward, reward);
    CopyFloats(rollout, Columns::kLogProb, log_prob);
    if (with_returns) CopyFloats(rollout, Columns::kDiscountedReturn, discounted);
    for (int64_t version : ColumnAs<int64_t>(rollout.columns(Columns::kVersion))) {
      out.oldest_version = std::min(out.oldest_version, version);
      *versions++ = version;
    }
    out.episodes.insert(out.episodes.end(), rollout.episodes().begin(), rollout.episodes().end());
  }

  if (transform.identity()) {
    batch.observations = out.raw_observations;
  } else {
    batch.observations = torch::empty_like(out.raw_observations);
    transform.Apply(Floats(out.raw_observations), Floats(batch.observations));
  }
  return out;
}

}  // namespace cadre
