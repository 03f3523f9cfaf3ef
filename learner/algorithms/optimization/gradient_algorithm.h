// An on-policy algorithm whose update is one gradient of one batch: what it knows is the
// gradient. Who steps along it is somebody else: an optimiser here (gradient_descent.h),
// after learners in parallel averaged theirs, or the parameter server (A3C). Pure. Not
// thread-safe.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/algorithms/diagnostics.h"
#include "learner/algorithms/optimization/update_hooks.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"
#include "learner/run_folder/safetensors.h"
#include "policy/actor_critic.h"

namespace cadre {

// Of any model.
class BatchGradient : public UpdateHooks {
 public:
  // Sets model().gradient() to that of the batch's mean loss at model().parameters(), not
  // clipped. False, with nothing to step along, if the batch has no step to learn from. Fails
  // only if learners in parallel lose each other.
  virtual absl::StatusOr<bool> ComputeGradient(const OnPolicyBatch& batch, double progress,
                                               Diagnostics& diagnostics) = 0;

  // As OnPolicyAlgorithm's.
  virtual bool learns_whole_episodes() const { return false; }

  virtual FlatModel& model() = 0;

  // The parameters, which have just changed, are now those of this version of a model that
  // several learners share.
  virtual void OnSharedVersion(int64_t /*version*/) {}

  // As OnPolicyAlgorithm's.
  virtual void Save(TensorMap& /*state*/) const {}
  virtual absl::Status Restore(const TensorMap& /*state*/) { return absl::OkStatus(); }
};

// Of an actor-critic.
class GradientAlgorithm : public BatchGradient {
 public:
  ActorCritic& model() override = 0;
};

}  // namespace cadre
