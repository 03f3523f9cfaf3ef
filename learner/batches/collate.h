// Rollouts to tensors: the columns of the leased rollouts become one batch. Shapes
// and values are checked here, where data enters the learner. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/spaces.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"
#include "policy/normalization.h"
#include "proto/experience.pb.h"

namespace cadre {

struct CollatedBatch {
  OnPolicyBatch batch;                // Rewards as they came; observations transformed.
  ObservationBatch raw_observations;  // As they came, for the statistics.
  torch::Tensor discounted_returns;   // [N] float32; undefined where not in the spec.
  int64_t oldest_version = 0;         // Of the steps.
  std::vector<v1::Episode> episodes;
  std::vector<std::string> dropped;  // Why, of each rollout that was left out.
  int64_t taken_steps = 0;           // Includes rollouts that were left out.
};

// The rollouts are put in the order of (actor, sequence) first, so that a batch does
// not depend on who came first. `transform` is that of the newest published version.
// A rollout that does not fit the spec, with an action that is not one of the environment's
// or a number that is not finite, is left out: the batch has no steps where all are.
// INVALID_ARGUMENT where there is no rollout.
absl::StatusOr<CollatedBatch> Collate(const v1::ExperienceSpec& spec, const ActionSpace& action,
                                      const ObservationTransform& transform,
                                      std::vector<v1::Rollout>& rollouts);

// The observations with their float32 columns through `transform`, copied unless it is the
// identity.
ObservationBatch Normalized(const ObservationTransform& transform, const ObservationBatch& raw);

}  // namespace cadre
