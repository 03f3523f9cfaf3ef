// The on-policy queue: each rollout that actors append is handed to one consumer,
// once, oldest first. Bounded in steps and bytes. It knows no gRPC and no log, and a
// clock only to count how long others wait; rollouts are moved in and out, never copied.
// Thread-safe.
//
//   Append --> [parked while full] --> waiting --Take--> leased --Acknowledge--> gone
//                                         ^                |
//                                         +---- Return ----+
//
// At every moment appended = acknowledged + dropped_stale + leased + waiting.
// A rollout is settled once it was acknowledged, dropped as stale or refused.
//
// Nothing here blocks: what cannot be answered now is answered later through a
// callback, which runs on the thread whose call made the answer possible (often
// inside the very call that asks). The queue's lock is free then, so a callback may
// call the queue; its caller must not hold a lock that a callback takes. Each
// callback is called exactly once, with CANCELLED after Close() or the stream's own
// Close. For blocking use in one process see local_ports.h.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/config/run_topology.h"
#include "common/metrics/time_integral.h"
#include "common/ports.h"
#include "proto/experience.pb.h"
#include "replay_server/storage/stream_agreement.h"
#include "replay_server/storage/waiting_rollouts.h"
#include "replay_server/storage/writer_sequences.h"
#include "replay_server/storage/writer_streams.h"

namespace cadre {

struct QueueOptions {
  std::string name = kOnPolicyQueue;
  // Data of other runs is refused. Empty: the run of whoever opens a stream first.
  std::string run_id;
  // Of what waits; leased rollouts are their consumer's to bound. A single rollout
  // is admitted to an empty queue whatever its size, and while the oldest Take still
  // lacks steps, capacity_steps may be passed by less than one rollout.
  int64_t capacity_steps = 8192;
  int64_t capacity_bytes = int64_t{1} << 30;  // As serialised.
  // Rollouts older than the newest consumer version by more than this are dropped.
  int64_t max_version_lag = 4;
  // The settings of the server's own config, that all streams must share; see
  // stream_agreement.h.
  std::vector<v1::AgreedSetting> agreed;
  size_t max_idle_writers = 100'000;  // See writer_sequences.h.
};

class Queue {
 public:
  using AppendDone = absl::AnyInvocable<void(absl::Status)>;
  using TakeDone = absl::AnyInvocable<void(absl::StatusOr<Lease>)>;
  // Called with each new settled sequence of a writer. Calls may overtake each
  // other: the largest counts. One may still be running when CloseWriter returns.
  using SettledListener = cadre::SettledListener;

  struct WriterStream {
    uint64_t id = 0;
    uint64_t settled_sequence = 0;  // Of this writer; 0 if it is not known here.
  };

  explicit Queue(QueueOptions options);
  ~Queue();  // Close().
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // Opens a stream of one writer. The first spec that anybody opens with becomes the
  // queue's, likewise the run id if the options have none; later ones must be the
  // same: FAILED_PRECONDITION with both. A writer that comes back may open a new
  // stream before its old one is closed; the listener is the newest stream's.
  absl::StatusOr<WriterStream> OpenWriter(absl::string_view run_id, uint64_t writer_id,
                                          const v1::ExperienceSpec& spec, SettledListener listener);
  // Cancels the stream's parked rollout.
  void CloseWriter(uint64_t stream);

  // Takes one rollout; at most one at a time for each stream. `done` gets
  //   OK                the queue has it (or had it: a duplicate; or it is stale)
  //   INVALID_ARGUMENT  refused, and why; its sequence is settled
  //   ABORTED           not the writer's next sequence; nothing has changed
  // and is held back while the queue is full. Parked rollouts go in in their order.
  void Append(uint64_t stream, v1::Rollout rollout, AppendDone done);

  // Checks run and spec like OpenWriter.
  absl::StatusOr<uint64_t> OpenConsumer(absl::string_view run_id, const v1::ExperienceSpec& spec);
  // Cancels the consumer's takes. Its leases stay until acknowledged or returned.
  void CloseConsumer(uint64_t consumer);

  // Leases the oldest whole rollouts that make up at least `steps`; takes are
  // answered in their order. `version` is the consumer's own: it raises the newest
  // known one, and what has become stale is dropped at once. INVALID_ARGUMENT for
  // more steps than capacity_steps, RESOURCE_EXHAUSTED where capacity_bytes is too
  // small to ever hold them.
  void Take(uint64_t consumer, int64_t steps, int64_t version, TakeDone done);

  // NOT_FOUND unless the lease is open.
  absl::Status Acknowledge(uint64_t lease_id);

  // Puts the rollouts of an open lease, just as they were handed out, back where
  // they stood; those that have become stale are dropped.
  void Return(Lease lease);

  // Ends everything that waits, with CANCELLED, and refuses whatever comes. Idempotent.
  void Close();

  v1::QueueInfo Info() const;

  // Since the queue is, each summed over those who wait.
  struct Waits {
    double blocked_writers_seconds = 0;    // Streams held back because it is full.
    double waiting_consumers_seconds = 0;  // Takes not answered.
    double held_rollouts_seconds = 0;      // Rollouts that wait or are leased.
  };
  Waits waits() const;
  const QueueOptions& options() const { return options_; }

 private:
  struct ParkedAppend {
    uint64_t stream;
    uint64_t writer;
    v1::Rollout rollout;
    int64_t steps;
    int64_t bytes;
    absl::Status valid;  // Whether the rollout fits the spec.
    AppendDone done;
  };
  struct PendingTake {
    uint64_t consumer;
    int64_t steps;
    TakeDone done;
  };
  struct Counts {
    int64_t leased_rollouts = 0;
    int64_t appended_rollouts = 0, appended_steps = 0;
    int64_t acknowledged_rollouts = 0, acknowledged_steps = 0;
    int64_t dropped_stale_rollouts = 0, dropped_stale_steps = 0;
    int64_t refused_rollouts = 0, duplicate_rollouts = 0, returned_rollouts = 0;
  };
  // What one call has brought about: callbacks to run once the lock is free.
  struct Effects {
    std::vector<absl::AnyInvocable<void()>> callbacks;
    absl::flat_hash_set<uint64_t> settled_writers;

    void AnswerAppend(AppendDone done, absl::Status status);
    void AnswerTake(TakeDone done, absl::StatusOr<Lease> lease);
    void Run();
  };

  absl::Status CheckOpen(absl::string_view run_id, const v1::ExperienceSpec& spec)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRollout(const ParkedAppend& append) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckTake(uint64_t consumer, int64_t steps, int64_t version) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The answer to `append`; nothing, and no change, if it has to wait for room.
  std::optional<absl::Status> TryAdmit(ParkedAppend& append, Effects& effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoom(const ParkedAppend& append) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The smallest version that is not stale.
  int64_t OldestVersion() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropStale(Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandOut(Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Answers all takes and parked appends that can be answered.
  void Advance(Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Settle(uint64_t writer, uint64_t sequence, Effects& effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Turns settled writers into callbacks, and counts how long what waits has waited; the
  // last thing under the lock.
  void TellListeners(Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ClosedError() const;

  const QueueOptions options_;  // Constant after construction.

  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::string run_id_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::ExperienceSpec> spec_ ABSL_GUARDED_BY(mutex_);  // Constant once given.
  StreamAgreement agreement_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;  // Streams, consumers, leases, positions.

  WriterStreams streams_ ABSL_GUARDED_BY(mutex_);
  WriterSequences sequences_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<uint64_t> consumers_ ABSL_GUARDED_BY(mutex_);

  std::deque<ParkedAppend> parked_ ABSL_GUARDED_BY(mutex_);
  std::deque<PendingTake> takes_ ABSL_GUARDED_BY(mutex_);
  WaitingRollouts waiting_ ABSL_GUARDED_BY(mutex_);  // None of them stale.
  // Open leases; the rollouts themselves are with their consumers.
  absl::flat_hash_map<uint64_t, std::vector<QueuedRollout>> leases_ ABSL_GUARDED_BY(mutex_);
  int64_t newest_version_ ABSL_GUARDED_BY(mutex_) = 0;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  TimeIntegral blocked_ ABSL_GUARDED_BY(mutex_);  // Of parked_,
  TimeIntegral lacking_ ABSL_GUARDED_BY(mutex_);  // of takes_,
  TimeIntegral held_ ABSL_GUARDED_BY(mutex_);     // of what waits or is leased.
};

}  // namespace cadre
