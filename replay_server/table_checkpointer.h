// Saves a server's tables now and then: every so many seconds, when somebody asks, and a
// last time at the end. On a thread of its own, so that no request waits for a disk.
// Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "replay_server/table_checkpoint.h"

namespace cadre {

struct TableCheckpointerOptions {
  std::string folder;
  int keep = 2;
  // From the end of one checkpoint to the next. Infinite: only on request.
  absl::Duration period = absl::InfiniteDuration();
};

class TableCheckpointer {
 public:
  using Done = absl::AnyInvocable<void(const absl::StatusOr<SavedCheckpoint>&)>;
  // Told of each checkpoint, whoever wanted it, on the checkpointer's thread: for logs and
  // metrics.
  using Listener = std::function<void(const absl::StatusOr<SavedCheckpoint>&, absl::Duration took)>;

  // What `tables` and `listener` use must live until Stop().
  TableCheckpointer(TableCheckpointerOptions options, std::vector<CheckpointedTable> tables,
                    Listener listener);
  ~TableCheckpointer();  // Stop().
  TableCheckpointer(const TableCheckpointer&) = delete;
  TableCheckpointer& operator=(const TableCheckpointer&) = delete;

  // Asks for a checkpoint of what the tables hold from now on; those who ask while one is
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

  const TableCheckpointerOptions options_;
  const std::vector<CheckpointedTable> tables_;
  const Listener listener_;

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Done> requests_ ABSL_GUARDED_BY(mutex_);

  std::once_flag joined_;
  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace cadre
