// The newest parameters of each model and the state of the run: all that the
// parameter server knows. No gRPC, no thread of its own. Thread-safe; a version is
// immutable and shared, so a reader never waits for more than the swap of a pointer.
//
// A model is either published by a learner, who makes its versions, or shared: then each
// gradient that is pushed makes the next one here; see model_updater.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/ports.h"
#include "param_server/model_updater.h"
#include "proto/parameters.pb.h"

namespace cadre {

class ParameterStore {
 public:
  // What a reader can see of one model.
  struct View {
    ParametersPtr newest;  // Null before the first publication.
    v1::RunState run_state = v1::RUN_STATE_RUNNING;
    bool closed = false;
  };

  // Somebody to tell once that there is more to see.
  class Waiter {
   public:
    // Called on the thread that caused the change, with no lock held; must not
    // block. The waiter is not in the store any more.
    virtual void OnChange() = 0;

   protected:
    ~Waiter() = default;
  };

  // Serves only the run `run_id`.
  explicit ParameterStore(std::string run_id);
  ParameterStore(const ParameterStore&) = delete;
  ParameterStore& operator=(const ParameterStore&) = delete;

  const std::string& run_id() const { return run_id_; }
  // FAILED_PRECONDITION for another run.
  absl::Status CheckRunId(absl::string_view run_id) const;

  // Stores a new version. To publish the stored one again is OK and changes nothing:
  // it is a retry. INVALID_ARGUMENT: no name, no version, values that are not whole
  // float32 or not finite. FAILED_PRECONDITION: version not newer, size or layout not
  // that of the stored one. UNAVAILABLE: closed.
  absl::Status Publish(ParametersPtr parameters);

  // A shared model; see ParameterService.StartModel for what becomes of `model`. Returns
  // the newest version. As Publish, and FAILED_PRECONDITION where the model that is there
  // is not shared or the run is FINISHED.
  absl::StatusOr<ModelUpdater::Newest> StartModel(const v1::SharedModel& model);

  // As ModelUpdater::Push. NOT_FOUND: no such shared model. FAILED_PRECONDITION: the run is
  // FINISHED.
  absl::StatusOr<ModelUpdater::Pushed> PushGradient(const v1::Gradient& gradient);

  // A shared model with its optimiser, at one moment. NOT_FOUND.
  absl::StatusOr<v1::SharedModel> FetchModel(absl::string_view model) const;

  // Everything, each model at one moment. Also of a closed store.
  struct Snapshot {
    v1::StoredRun run;
    std::vector<v1::StoredModel> models;  // By name.
  };
  Snapshot Save() const;
  // Of a store in which there is nothing yet, before anybody else uses it.
  // FAILED_PRECONDITION: of another run. DATA_LOSS: it makes no sense.
  absl::Status Restore(const Snapshot& snapshot);

  // RUNNING at first. FINISHED is final (FAILED_PRECONDITION).
  absl::Status SetRunState(v1::RunState state);

  View Read(absl::string_view model) const;

  // As ParameterSource::WaitNewer. CANCELLED once the store is closed or `cancelled`,
  // where given, is true; whoever sets it calls WakeWaits() then.
  absl::StatusOr<ParametersPtr> WaitNewer(absl::string_view model, int64_t version,
                                          absl::Duration timeout,
                                          const std::atomic<bool>* cancelled = nullptr) const;
  void WakeWaits();

  // Registers `waiter` for the first moment at which `model` has a version newer than
  // `version`, the run's state is not `state`, or the store is closed. If that is
  // now, it is not registered: false.
  [[nodiscard]] bool AddWaiter(Waiter* waiter, absl::string_view model, int64_t version,
                               v1::RunState state);
  // True: it was registered and OnChange will not be called. False: it is not
  // registered; OnChange may just be running on another thread.
  [[nodiscard]] bool RemoveWaiter(Waiter* waiter);

  // Tells every waiter and ends every wait; nothing can be published after it.
  void Close();

  std::vector<v1::ModelInfo> Models() const;  // By name.

 private:
  struct Model {
    ParametersPtr newest;
    int64_t publications = 0;
    std::shared_ptr<ModelUpdater> updater;  // Null where it is published. Never changes.
  };
  struct Interest {
    std::string model;
    int64_t version = 0;
    v1::RunState state = v1::RUN_STATE_UNSPECIFIED;
  };

  View ReadLocked(absl::string_view model) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool IsMet(const Interest& interest) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // NOT_FOUND, or UNAVAILABLE where the store is closed, FAILED_PRECONDITION once FINISHED.
  absl::StatusOr<std::shared_ptr<ModelUpdater>> FindForLearner(absl::string_view model) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<ModelUpdater> Find(absl::string_view model) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckTakesGradients() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // The next version of a shared model, or its newest with more steps. WakeWaiters
  // notifies those who wait, later, without the updater's lock.
  void Install(const ParametersPtr& parameters) ABSL_LOCKS_EXCLUDED(mutex_);
  void WakeWaiters() ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<Waiter*> TakeWaiters() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string run_id_;
  mutable absl::Mutex mutex_;  // Held for pointers and bookkeeping, never for payload.
  absl::flat_hash_map<std::string, Model> models_ ABSL_GUARDED_BY(mutex_);
  v1::RunState run_state_ ABSL_GUARDED_BY(mutex_) = v1::RUN_STATE_RUNNING;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<Waiter*, Interest> waiters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
