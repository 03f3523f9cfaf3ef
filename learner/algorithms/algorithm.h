// What every on-policy algorithm is to the training loop: a batch in, an update,
// diagnostics out. An algorithm knows no gRPC, no clock, no files, no log and no
// global random numbers. Not thread-safe.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/algorithms/diagnostics.h"
#include "learner/algorithms/optimization/update_hooks.h"
#include "learner/algorithms/policy_gradient/on_policy_batch.h"
#include "learner/run_folder/safetensors.h"
#include "policy/actor_critic.h"

namespace cadre {

class OnPolicyAlgorithm : public UpdateHooks {
 public:
  // Learns from one batch. `progress` in [0, 1]: the share of the run that is over,
  // for schedules. The model's parameters are changed in place.
  // Fails only where learners in parallel lose each other.
  virtual absl::StatusOr<Diagnostics> Update(const OnPolicyBatch& batch, double progress) = 0;

  // True: a batch holds whole episodes, each as one segment, and may hold none. Their steps
  // may be of policies older than the newest.
  virtual bool learns_whole_episodes() const { return false; }

  virtual ActorCritic& model() = 0;

  // Everything besides the parameters that the next update depends on: optimiser
  // moments, random numbers, adaptive coefficients. Restore after Save gives
  // updates that are the same bit for bit. DATA_LOSS where something is missing.
  virtual void Save(TensorMap& state) const = 0;
  virtual absl::Status Restore(const TensorMap& state) = 0;
};

}  // namespace cadre
