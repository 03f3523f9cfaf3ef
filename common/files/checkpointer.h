// Saves what a server holds now and then: every so many seconds, when somebody asks, and a
// last time at the end. On a thread of its own, so that no request waits for a disk.
// Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/files/checkpoint_folder.h"

namespace cadre {

class Checkpointer {
 public:
  using Done = absl::AnyInvocable<void(const absl::StatusOr<SavedCheckpoint>&)>;
  // Told of each checkpoint, whoever wanted it, on the checkpointer's thread: for logs and
  // metrics.
  using Listener = std::function<void(const absl::StatusOr<SavedCheckpoint>&, absl::Duration took)>;

  using SaveFunction = std::function<absl::StatusOr<SavedCheckpoint>()>;

  // `period`: from the end of one checkpoint to the next. Infinite: only on request. What
  // `save` and `listener` use must live until Stop().
  Checkpointer(SaveFunction save, absl::Duration period, Listener listener);
  ~Checkpointer();  // Stop().
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // Asks for a checkpoint of what there is from now on; those who ask while one is
  // being written share the next. `done` is called once, on the checkpointer's thread; with
  // CANCELLED after Stop(), then at once.
  void Request(Done done) ABSL_LOCKS_EXCLUDED(mutex_);

  // The same, waiting for it. Not from a callback of this object.
  absl::StatusOr<SavedCheckpoint> Save() ABSL_LOCKS_EXCLUDED(mutex_);

  // Finishes the checkpoint that is being written, cancels the requests that wait for
  // another, and ends the thread. For a last checkpoint call Save() before. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the period's end, a request or Stop(). False after Stop().
  bool WaitForWork(std::vector<Done>* requests) ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopped_ || !requests_.empty();
  }

  const SaveFunction save_;
  const absl::Duration period_;
  const Listener listener_;

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Done> requests_ ABSL_GUARDED_BY(mutex_);

  std::once_flag joined_;
  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace cadre
