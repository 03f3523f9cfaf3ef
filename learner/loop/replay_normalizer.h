// Normalisation of batches from a replay table, which holds observations and rewards as they came.
// The statistics are those of the steps that the table holds, each counted once, estimated from
// the batches: a sampled step counts as often as it is rarer than others to be sampled, and what
// was seen before counts as no more steps than the table has. As the table grows, so does the
// memory of the estimate; once it is full, steps that it has dropped are forgotten
// (docs/decisions/017-statistics-of-replay.md). Not thread-safe.
#pragma once

#include "absl/status/status.h"
#include "common/experience/replay_batch.h"
#include "learner/algorithms/off_policy.h"
#include "learner/algorithms/optimization/collective.h"
#include "learner/batches/replay_collate.h"
#include "policy/normalization.h"
#include "proto/config.pb.h"
#include "proto/parameters.pb.h"

namespace cadre {

class ReplayNormalizer {
 public:
  // `spaces` must outlive it.
  ReplayNormalizer(const NormalizationConfig& config, const ReplaySpaces* spaces)
      : spaces_(*spaces), normalizer_(config, spaces->observation.floats()) {}

  // Adds the batch to the statistics and normalises `tensors`, its tensors, with the result:
  // observations, those that come next, and rewards, or of n steps their discounted sums.
  // `table_items`: items of the table, the same on all learners. Each learner of `collective`,
  // which may be null, calls it with its share, and all get the same statistics. Fails only if
  // they lose each other.
  absl::Status Normalize(const ReplayBatch& batch, int64_t table_items, Collective* collective,
                         OffPolicyBatch& tensors);

  // In and out of a publication.
  void AddTo(v1::Parameters& parameters) const { normalizer_.AddTo(parameters); }
  absl::Status Restore(const v1::Parameters& parameters) { return normalizer_.Restore(parameters); }

 private:
  absl::Status Update(const ReplayBatch& batch, int64_t table_items, Collective* collective,
                      const OffPolicyBatch& tensors);

  const ReplaySpaces& spaces_;
  Normalizer normalizer_;
};

}  // namespace cadre
