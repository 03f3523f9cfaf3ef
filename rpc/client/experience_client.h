// The experience ports of a cluster: what workers use instead of a Queue or a Table when
// it is in another process. (Sampling a table: replay_source.h.) Both connect by themselves, and
// again after every break. Create() does not wait for the server. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/config/run_topology.h"
#include "common/metrics/time_integral.h"
#include "common/ports.h"
#include "common/process/refused_in_a_row.h"
#include "common/process/repeated_events.h"
#include "proto/experience.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/client/call_group.h"
#include "rpc/client/lease_ledger.h"
#include "rpc/client/outage.h"
#include "rpc/wire/place_sink.h"

namespace cadre {

struct ExperienceClientOptions {
  std::string address;  // Of the replay server, host:port.
  std::string run_id;
  std::string target = kOnPolicyQueue;  // A queue, or for a sink also a table.
  v1::ExperienceSpec spec;
  std::string name;  // Who this is, for the server's log: "actor-3".
  OutageOptions outage;
  ChannelOptions channel;
};

struct ExperienceSinkOptions : ExperienceClientOptions {
  // What is appended but not yet settled is kept here, to be sent again after a
  // break; Append blocks while it is so much. One rollout is always let in. The
  // writers of a queue must together be able to hold an update's steps.
  int64_t max_unsettled_rollouts = 256;  // 1 to 1024.
  int64_t max_unsettled_bytes = int64_t{512} << 20;
  // So many refusals in a row by the server, if it took none before, end the sink. 1 where
  // the writer cannot go on after one: then values that are not finite are refused by Append,
  // so that it can make another rollout.
  int64_t max_refusals = RefusedInARow::kFirst;
  // Runs on the sink's thread when it has ended by itself.
  std::function<void()> on_end;
};

// Sends rollouts on a thread of its own, and on a second one reads what the server
// has settled. Append returns once the rollout is in the window; a server that
// cannot be reached any more, refuses the stream, or refuses all that is appended
// (FAILED_PRECONDITION with the reason, as trying again would not help) ends the sink, and
// every later call returns why.
class RemoteExperienceSink final : public PlaceSink {
 public:
  // INVALID_ARGUMENT for a bad address, spec or bound.
  static absl::StatusOr<std::unique_ptr<RemoteExperienceSink>> Create(
      ExperienceSinkOptions options);
  ~RemoteExperienceSink() override;  // Close(), and joins the threads.

  // Refuses a rollout that does not fit the spec with INVALID_ARGUMENT. Values are the server's
  // to check; what it refuses is logged, and in Flush.
  absl::Status Append(v1::Rollout rollout) override;

  // Ends at once: what is not settled then may be lost. See Flush.
  void Close() override;

  // Blocks until the server has accepted this writer.
  absl::Status WaitConnected();

  absl::Status WaitConnected(const std::atomic<bool>& interrupted) override;
  bool HasRoom(int64_t bytes) const override;
  void WaitForRoom(int64_t bytes, const std::atomic<bool>& interrupted) override;
  void Wake() override;
  absl::Status Flush(absl::Duration timeout) override;

  uint64_t writer_id() const { return writer_id_; }
  Counts counts() const override;
  absl::Status end() const override;

 private:
  using Stream = grpc::ClientReaderWriter<grpc::ByteBuffer, v1::AppendResponse>;
  using RequestPtr = std::shared_ptr<const v1::AppendRequest>;
  struct Unsettled {
    RequestPtr request;
    int64_t bytes = 0;
    bool sent = false;     // On some stream.
    bool refused = false;  // Kept, as sequences must not have gaps if it is sent again.
  };

  RemoteExperienceSink(ExperienceSinkOptions options, std::shared_ptr<grpc::Channel> channel);

  void Run();                 // The sending thread.
  absl::Status StreamOnce();  // Until the stream ends, and why.
  v1::AppendRequest OpenRequest() const;
  void SendRollouts(Stream* stream);
  RequestPtr NextToSend();  // Blocks; null once the stream is over.
  void ReadResponses(Stream* stream);
  void OnResponse(const v1::AppendResponse& response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Refuse(uint64_t sequence, const std::string& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool ended() const ABSL_LOCKS_EXCLUDED(mutex_) { return !end().ok(); }
  // That, or it has ended.
  bool MayAppend(int64_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ExperienceSinkOptions options_;
  const std::string peer_;  // For messages.
  const uint64_t writer_id_;
  const std::shared_ptr<grpc::Channel> channel_;
  CallGroup calls_;
  Outage outage_;  // The sending thread's.

  mutable absl::Mutex mutex_;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);  // OK until the sink has ended; then why.
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
  RefusedInARow refused_in_a_row_ ABSL_GUARDED_BY(mutex_);
  RepeatedEvents refusals_ ABSL_GUARDED_BY(mutex_);       // For the log.
  std::deque<Unsettled> window_ ABSL_GUARDED_BY(mutex_);  // Sequences without a gap.
  uint64_t first_sequence_ ABSL_GUARDED_BY(mutex_) = 1;   // Of the window.
  int64_t window_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t next_to_send_ ABSL_GUARDED_BY(mutex_) = 0;  // Into the window.
  bool stream_over_ ABSL_GUARDED_BY(mutex_) = true;
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  TimeIntegral unsettled_ ABSL_GUARDED_BY(mutex_);  // Of the window's size.

  std::thread thread_;
};

// Takes leases and acknowledges them for its callers; one Take at a time. A rollout is
// handed out once in the life of a source, whatever happens to the server (see
// lease_ledger.h): a queue that several sources consume is not protected so against
// restarts of its server. Leases that Close() finds open go back to the queue.
class RemoteExperienceSource final : public ExperienceSource {
 public:
  // INVALID_ARGUMENT for a bad address or spec.
  static absl::StatusOr<std::unique_ptr<RemoteExperienceSource>> Create(
      ExperienceClientOptions options);
  ~RemoteExperienceSource() override;  // Close().

  absl::StatusOr<Lease> Take(int64_t steps, int64_t version) override;
  // OK as well if the connection over which the lease came is gone: its rollouts are
  // not handed out again, and acknowledged when the server sends them again.
  absl::Status Acknowledge(uint64_t lease_id) override;
  // Ends a Take that blocks. Where none does, it waits a moment until the server has
  // got the acknowledgements.
  void Close() override;

  // Rollouts that the server sent again and that were dropped here.
  int64_t duplicates() const;

 private:
  class Connection;

  RemoteExperienceSource(ExperienceClientOptions options, std::shared_ptr<grpc::Channel> channel);

  absl::Status TakeMore(int64_t steps, int64_t version) ABSL_EXCLUSIVE_LOCKS_REQUIRED(take_mutex_);
  absl::StatusOr<Connection*> Connect() ABSL_EXCLUSIVE_LOCKS_REQUIRED(take_mutex_);
  absl::Status Disconnect() ABSL_EXCLUSIVE_LOCKS_REQUIRED(take_mutex_);
  absl::Status WhyEnded(const grpc::Status& status) const;
  void AcknowledgeToServer(const std::vector<uint64_t>& server_leases)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ExperienceClientOptions options_;
  const std::string peer_;  // For messages.
  const std::unique_ptr<v1::ExperienceService::Stub> stub_;
  CallGroup calls_;

  absl::Mutex take_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // Held by the one Take.
  Outage outage_ ABSL_GUARDED_BY(take_mutex_);
  Lease partial_ ABSL_GUARDED_BY(take_mutex_);  // What a Take has that is not yet enough.
  int64_t partial_steps_ ABSL_GUARDED_BY(take_mutex_) = 0;

  mutable absl::Mutex mutex_;  // Held for a moment only, for writes too.
  // Replaced under both locks, so the Take may read from it with its own alone.
  std::unique_ptr<Connection> connection_ ABSL_GUARDED_BY(mutex_);
  LeaseLedger ledger_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
