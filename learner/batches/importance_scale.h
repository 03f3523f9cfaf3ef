// Importance weights of prioritised replay when several learners share each batch. A table
// scales those of every batch by its largest (Schaul et al. 2016, section 3.4); of learners
// that each take a share, the largest is that of all shares, or N learners would not make the
// update that one makes. Pure.
#pragma once

#include <vector>

#include "common/experience/replay_batch.h"

namespace cadre {

// The largest (table_items * probability)^-exponent of the batch. 1 if it has no items or
// nothing is corrected.
double LargestWeight(const ReplayBatch& batch, double exponent);

// The batch's weights, whose largest is 1, so that a weight of `largest_of_all` were 1.
// `own_largest` is the batch's LargestWeight. Into `weights`, which the batch then looks at.
void RescaleWeights(double own_largest, double largest_of_all, std::vector<float>& weights,
                    ReplayBatch& batch);

}  // namespace cadre
