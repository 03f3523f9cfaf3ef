// One model that the server itself moves, along the gradients that learners push: the
// shared parameters and the shared optimiser of A3C (Mnih et al. 2016, algorithm S3),
// where each gradient is applied as it comes. No gRPC, no thread of its own.
//
// Thread-safe: pushes go one after the other. A version, once made, never changes;
// readers share it and wait for nobody, and nobody waits for them. The steps of a gradient
// that is refused count at once: the newest version is then replaced by a copy that differs
// in its env_steps alone, since no later gradient may come that they could travel with.
//
// The model's env_steps are those it was started with and, of each learner, those of all its
// gradients. Both travel together, in versions, snapshots and checkpoints, and where two that
// know of one model are brought together each learner has the larger of its two numbers: so
// whatever servers and learners lose, a step counts once, as long as anybody lives who knows of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/optimizer.h"
#include "common/ports.h"
#include "param_server/version_pool.h"
#include "proto/parameters.pb.h"

namespace cadre {

class ModelUpdater {
 public:
  // Makes a version visible, or the newest one with more steps. Called with the lock of the
  // updater, so that versions come in their order; must not call it back.
  using Install = absl::FunctionRef<void(const ParametersPtr&)>;

  // Learners whose numbers are remembered; each life of one is another. Of those that pushed last.
  static constexpr size_t kMostLearners = kMostPushingLearners;

  enum class Outcome { kApplied, kTooOld, kDuplicate, kNoStep };
  struct Pushed {
    Outcome outcome = Outcome::kApplied;
    PushedGradient gradient;                   // Of a duplicate, as it was answered first.
    std::vector<v1::PushedSequence> learners;  // Whose gradients are in `gradient.newest`.
  };

  // `model` is sound by itself (see CheckSound). INVALID_ARGUMENT for optimiser state of
  // another kind or size.
  static absl::StatusOr<std::unique_ptr<ModelUpdater>> Create(const v1::SharedModel& model);

  // Applies a gradient once: what a learner sends again is answered and not applied. One
  // without values, kNoStep, moves nothing and makes no version; its env_steps count. One
  // that is too old is left out, but its env_steps count.
  //   INVALID_ARGUMENT  size; values that are not finite, or so large that their squares
  //                     are not; the model is as it was
  //   OUT_OF_RANGE      of a version that has not been made here
  absl::StatusOr<Pushed> Push(const v1::Gradient& gradient, Install install);

  // The newest version, and whose gradients are in it.
  struct Newest {
    ParametersPtr parameters;
    std::vector<v1::PushedSequence> learners;
  };

  // Continues from `model` if its version is newer: made here once and lost. Without an
  // optimiser state in it the optimiser stays. Steps that it has counted and that are not here are
  // taken over from any version. FAILED_PRECONDITION: another size or layout.
  absl::StatusOr<Newest> TakeOver(const v1::SharedModel& model, Install install);

  ParametersPtr newest() const;

  // All of it at one moment.
  v1::SharedModel Save() const;

  // Sets what a shared model has in a ModelInfo, and from one, after a restart. Waits for no push.
  void SaveCounters(v1::ModelInfo& info) const;
  void RestoreCounters(const v1::ModelInfo& info);

 private:
  struct Learner {
    uint64_t sequence = 0;  // Newest that was applied or refused.
    bool refused = false;
    int64_t lag = 0;        // Of that one.
    uint64_t turn = 0;      // Of all pushes, when it came.
    int64_t env_steps = 0;  // Of all its gradients.
  };

  ModelUpdater(const v1::SharedModel& model, int64_t parameters);

  absl::Status Check(const v1::Gradient& gradient, double norm) const;
  // The next version, with these steps, and the optimiser one step on.
  ParametersPtr Step(const v1::Gradient& gradient, double norm, int64_t env_steps)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The newest version with these steps instead of its own.
  ParametersPtr WithSteps(int64_t env_steps) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The steps that this and `model` have counted together.
  int64_t StepsOfBoth(const v1::SharedModel& model) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void MergeSteps(const v1::SharedModel& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MergeSequences(const v1::SharedModel& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Learner& LearnerOf(uint64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<v1::PushedSequence> Learners() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const OptimizerConfig config_;
  const int64_t schedule_steps_;
  const int64_t max_gradient_lag_;  // -1: none.
  const int64_t size_;              // P
  const std::shared_ptr<VersionPool> pool_;

  // Read at any time; all but broken_ change under mutex_.
  std::atomic<int64_t> applied_ = 0, refused_ = 0, duplicates_ = 0, broken_ = 0, max_lag_ = 0;

  mutable absl::Mutex mutex_;  // Held through a step: milliseconds for a million parameters.
  ParametersPtr newest_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<FlatOptimizer> optimizer_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, Learner> learners_ ABSL_GUARDED_BY(mutex_);  // By id.
  uint64_t turns_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace cadre
