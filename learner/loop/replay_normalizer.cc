#include "learner/loop/replay_normalizer.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/batches/collate.h"
#include "learner/parallel/update_agreement.h"

namespace cadre {
namespace {

// How often each step counts: 1 if all items are as likely; the steps of sequences step by step,
// those past a sequence's end never.
std::vector<float> StepWeights(const ReplaySpaces& spaces, const ReplayBatch& batch,
                               int64_t table_items, const OffPolicyBatch& tensors) {
  const int64_t steps = spaces.sequences() ? spaces.steps : 1;
  std::vector<float> weights(batch.items * steps, 1.0f);
  for (int64_t i = 0; i < batch.items; ++i) {
    const double rarity =  // How much rarer it is than if all were as likely.
        batch.probabilities.empty()
            ? 1.0
            : 1.0 / (static_cast<double>(table_items) *
                     std::max(batch.probabilities[i], std::numeric_limits<float>::min()));
    const int64_t length = spaces.sequences() ? tensors.lengths.data_ptr<int64_t>()[i] : int64_t{1};
    for (int64_t t = 0; t < steps; ++t)
      weights[t * batch.items + i] = t < length ? static_cast<float>(rarity) : 0.0f;
  }
  return weights;
}

}  // namespace

absl::Status ReplayNormalizer::Update(const ReplayBatch& batch, int64_t table_items,
                                      Collective* collective, const OffPolicyBatch& tensors) {
  const std::vector<float> weights = StepWeights(spaces_, batch, table_items, tensors);
  const int64_t steps = static_cast<int64_t>(weights.size());
  if (normalizer_.normalizes_observations()) {
    // Sequences have one more row of observations for each item; it comes last.
    const torch::Tensor shown = FloatRows(tensors.observations).narrow(0, 0, steps).contiguous();
    CADRE_ASSIGN_OR_RETURN(
        const auto all, GatherMoments(collective, MomentsOf(Flat(shown), shown.size(1), weights)));
    for (const RowMoments& moments : all) normalizer_.MergeObservations(moments);
  }
  if (normalizer_.normalizes_rewards()) {
    const torch::Tensor returns = DiscountedReturns(spaces_, batch);
    CADRE_ASSIGN_OR_RETURN(const auto all,
                           GatherMoments(collective, MomentsOf(Flat(returns), 1, weights)));
    for (const RowMoments& moments : all) normalizer_.MergeReturns(moments);
  }
  const double steps_per_item = spaces_.sequences() ? static_cast<double>(spaces_.steps) : 1;
  normalizer_.LimitCounts(static_cast<double>(table_items) * steps_per_item);
  return absl::OkStatus();
}

absl::Status ReplayNormalizer::Normalize(const ReplayBatch& batch, int64_t table_items,
                                         Collective* collective, OffPolicyBatch& tensors) {
  if (!normalizer_.normalizes_observations() && !normalizer_.normalizes_rewards())
    return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(Update(batch, table_items, collective, tensors));
  const ObservationTransform transform = normalizer_.observation_transform();
  tensors.observations = Normalized(transform, tensors.observations);
  if (!spaces_.sequences())
    tensors.next_observations = Normalized(transform, tensors.next_observations);
  if (normalizer_.normalizes_rewards()) {
    tensors.rewards = tensors.rewards.clone();  // They may be the batch's own memory.
    normalizer_.NormalizeRewards(Flat(tensors.rewards));
  }
  return absl::OkStatus();
}

}  // namespace cadre
