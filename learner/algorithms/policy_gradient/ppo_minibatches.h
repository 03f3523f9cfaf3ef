// How an epoch of PPO is split into minibatches, of which learners in parallel take a share
// each: all take as many gradient steps as the others. A null collective: this learner is
// alone. These fail only where learners lose each other.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "learner/algorithms/optimization/collective.h"

namespace cadre {

// Minibatch i of this learner is the `size` steps from i * size on of a shuffled epoch. Steps
// that do not fill one wait for the next epoch's shuffle.
struct EpochSplit {
  int64_t size = 0;   // Of this learner's share.
  int64_t count = 0;  // The same for all.
};

// `minibatch_size` is that of all learners together; this one has `steps`, at least one.
absl::StatusOr<EpochSplit> SplitEpoch(Collective* collective, int64_t minibatch_size,
                                      int64_t steps);

// (A - mean) * factor, where factor is 1 / (deviation + 1e-8).
struct AdvantageScale {
  double mean = 0;
  double factor = 1;
};

// In place.
void NormalizeAdvantages(const AdvantageScale& scale, absl::Span<float> advantages);

// Of each minibatch of the epoch, over the shares of all learners; the unbiased deviation.
// `advantages` [N], `order` [N]: the epoch's steps, shuffled. None where a minibatch has a
// single step.
absl::StatusOr<std::vector<AdvantageScale>> AdvantageScales(Collective* collective,
                                                            const EpochSplit& split,
                                                            absl::Span<const float> advantages,
                                                            absl::Span<const int64_t> order);

}  // namespace cadre
