// Where an actor appends if several tables or queues share a run's experience: to one of
// them at a time, as the steps of an environment belong together, and to another one once
// that is lost or another lacks actors (shard_choice.h). What is on the way to the one that
// it leaves is still settled there, exactly once; at the next it is a writer of its own, so
// no table joins steps that do not follow each other.
//
// With one place it is a RemoteExperienceSink. Append from one thread; else thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/config/run_topology.h"
#include "common/ports.h"
#include "common/process/monotonic_time.h"
#include "proto/experience.grpc.pb.h"
#include "rpc/client/call_group.h"
#include "rpc/client/experience_client.h"
#include "rpc/shards/shard_choice.h"
#include "rpc/wire/place_sink.h"

namespace cadre {

struct ShardedSinkOptions {
  ExperienceSinkOptions sink;  // For each shard; address and target are one of these:
  std::vector<ExperiencePlace> places;
  size_t first = 0;  // The one to begin with.
  // How often all servers are asked how they stand. Those of queues sooner, while this actor is
  // held back.
  absl::Duration ask_every = absl::Seconds(5);
  // Makes the sink of a place. None: a RemoteExperienceSink.
  std::function<absl::StatusOr<std::unique_ptr<PlaceSink>>(const ExperienceSinkOptions&)> make_sink;
};

class ShardedExperienceSink final : public ExperienceSink {
 public:
  // INVALID_ARGUMENT for a bad address, spec or bound.
  static absl::StatusOr<std::unique_ptr<ShardedExperienceSink>> Create(
      const ShardedSinkOptions& options);
  ~ShardedExperienceSink() override;  // Close(), and joins the threads.

  absl::Status Append(v1::Rollout rollout) override;
  void Close() override;

  // Blocks until a server has accepted this actor.
  absl::Status WaitConnected();
  // Blocks until everything appended is settled, as PlaceSink::Flush.
  absl::Status Flush(absl::Duration timeout);

  // OK until the sink of the current server has ended; then why.
  absl::Status end() const { return sink()->end(); }

  size_t current() const;
  // Summed over all writers that it has been.
  PlaceSink::Counts counts() const;

 private:
  using SinkPtr = std::shared_ptr<PlaceSink>;

  explicit ShardedExperienceSink(const ShardedSinkOptions& options);

  absl::StatusOr<SinkPtr> MakeSink(size_t shard) const;
  SinkPtr sink() const;
  void Watch();  // The thread.
  std::vector<ShardNews> AskAll();
  // Nothing where it does not answer.
  v1::InfoResponse Ask(v1::ExperienceService::Stub& stub);
  void MoveTo(size_t shard);
  // Until `next_round`, or until an actor of queues has been held back for a while. False once
  // this is closed.
  bool AwaitRound(MonotonicTime next_round);
  void SetHeldBack(bool held_back);
  bool held_back() const;
  // Forgets writers of which everything is settled, or which have ended.
  void LetGo();

  const ShardedSinkOptions options_;
  // By address. Constant after Create().
  absl::flat_hash_map<std::string, std::unique_ptr<v1::ExperienceService::Stub>> stubs_;
  CallGroup calls_;
  bool of_queues_ = false;              // The thread's: the places are queues.
  std::atomic<bool> moved_ = false;     // Since the current Append began.
  std::atomic<bool> waits_ = false;     // In Append.
  std::atomic<bool> appended_ = false;  // Since the last round of questions.

  mutable absl::Mutex mutex_;  // Held for a moment only.
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_back_ ABSL_GUARDED_BY(mutex_) = false;  // An Append waits for room.
  // How long it does so before the servers are asked.
  absl::Duration patience_ ABSL_GUARDED_BY(mutex_);
  size_t current_ ABSL_GUARDED_BY(mutex_) = 0;
  SinkPtr sink_ ABSL_GUARDED_BY(mutex_);
  std::vector<SinkPtr> leaving_ ABSL_GUARDED_BY(mutex_);
  PlaceSink::Counts gone_ ABSL_GUARDED_BY(mutex_);  // The sum over closed sinks.

  std::thread thread_;  // None with one place.
};

}  // namespace cadre
