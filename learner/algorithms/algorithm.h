// What every on-policy algorithm is to the training loop: a batch in, an update,
// diagnostics out. An algorithm knows no gRPC, no clock, no files, no log and no
// global random numbers. Not thread-safe.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/algorithms/collective.h"
#include "learner/algorithms/diagnostics.h"
#include "learner/algorithms/on_policy_batch.h"
#include "learner/safetensors.h"
#include "policy/actor_critic.h"

namespace cadre {

class OnPolicyAlgorithm {
 public:
  virtual ~OnPolicyAlgorithm() = default;

  // Learns from one batch. `progress` in [0, 1]: the share of the run that is over,
  // for schedules. The model's parameters are changed in place.
  // Fails only where learners in parallel lose each other.
  virtual absl::StatusOr<Diagnostics> Update(const OnPolicyBatch& batch, double progress) = 0;

  virtual ActorCritic& model() = 0;

  // Everything besides the parameters that the next update depends on: optimiser
  // moments, random numbers, adaptive coefficients. Restore after Save gives
  // updates that are the same bit for bit. DATA_LOSS where something is missing.
  virtual void Save(TensorMap& state) const = 0;
  virtual absl::Status Restore(const TensorMap& state) = 0;

  // `listener` may be null and must outlive the algorithm.
  virtual void set_listener(UpdateListener* listener) { listener_ = listener; }

  // Of learners that move one model together, each with a share of every batch. Null, as at
  // first: this learner is alone. Must outlive the algorithm.
  void set_collective(Collective* collective) { collective_ = collective; }

 protected:
  Collective* collective() const { return collective_; }
  void Enter(UpdatePart part) {
    if (listener_ != nullptr) listener_->Enter(part);
  }

 private:
  UpdateListener* listener_ = nullptr;
  Collective* collective_ = nullptr;
};

}  // namespace cadre
