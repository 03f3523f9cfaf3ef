// The sequences of an on-policy batch, for networks with a memory: one for each environment of
// each rollout, over all of its segments. Pure; on the CPU.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/types.h>

#include "learner/algorithms/policy_gradient/on_policy_batch.h"
#include "policy/sequences.h"

namespace cadre {

// Over the N + S rows of observations: the last observation of each segment is a row, too, and the
// next segment starts an episode. `states` [N, M], before each step.
std::shared_ptr<const Sequences> SequencesOf(const std::vector<SegmentBounds>& segments,
                                             const torch::Tensor& states);

// The observations of the N steps, without the last ones of the segments; with their sequences, if
// the batch has any. On the batch's device.
ObservationBatch ObservationsOfSteps(const OnPolicyBatch& batch);

// The steps of each sequence, in order: indices below N.
std::vector<std::vector<int64_t>> StepsOfSequences(const std::vector<SegmentBounds>& segments);

// [N] float32: 1 for the steps that start an episode within their sequence, else 0.
torch::Tensor StartsOfSteps(const std::vector<SegmentBounds>& segments, int64_t steps);

}  // namespace cadre
