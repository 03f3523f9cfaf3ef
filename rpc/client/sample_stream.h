// One Sample stream to one server, which it opens again after every break: wants go out,
// batches come back in their order and wait here, undecoded but for their frame.
// For the replay sources; thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/ports.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/sync_stream.h"
#include "rpc/client/call_group.h"
#include "rpc/client/outage.h"
#include "rpc/client/replay_source_options.h"
#include "rpc/wire/replay_codec.h"

namespace cadre {

class SampleStream {
 public:
  // What becomes of the wants that a break leaves unanswered.
  enum class AfterBreak { kAskAgain, kLose };

  // `on_change` is called, from threads of the stream, after it has connected, broken or
  // ended. INVALID_ARGUMENT for a bad address or spec.
  static absl::StatusOr<std::unique_ptr<SampleStream>> Create(const ReplaySourceOptions& options,
                                                              AfterBreak after_break,
                                                              std::function<void()> on_change);
  ~SampleStream();  // Close(), and joins the threads.

  // Asks for one batch, to be had by Take(the ticket). Does not block.
  uint64_t Want(const SampleOptions& options) { return Want(options, 1); }
  // For `count` batches at once; the first one's ticket, which the others' follow.
  uint64_t Want(const SampleOptions& options, size_t count);
  // Nobody will take what was wanted so far.
  void Abandon();

  // The batch of a ticket, once. Blocks. UNAVAILABLE: a break has lost it; any other
  // error is final.
  absl::StatusOr<BatchOnWire> Take(uint64_t ticket);
  // Of the batches, once there was one. Stays the same.
  std::vector<v1::ColumnSpec> columns() const;

  // Does not block. Dropped and counted while there is no connection, and where the
  // server is too far behind.
  void Send(v1::PriorityUpdate update);

  // Ends the connection that there is, as a break would, and connects again: the server
  // forgets what it was asked for. `why` is logged. Does not block. Nothing is done where
  // it owes nothing that anybody will take.
  void ReconnectIfOwing(const std::string& why);

  bool connected() const;
  // OK until the stream has ended for good; then why.
  absl::Status end() const;
  void Close();

  struct Counts {
    int64_t connections = 0;
    int64_t dropped_priorities = 0;  // Never sent.
  };
  Counts counts() const;

 private:
  using Stream = grpc::ClientReaderWriter<v1::SampleRequest, grpc::ByteBuffer>;
  struct Wanted {
    uint64_t ticket = 0;
    SampleOptions options;
    std::optional<BatchOnWire> batch;
    bool lost = false;
    bool abandoned = false;
  };

  SampleStream(const ReplaySourceOptions& options, std::shared_ptr<grpc::Channel> channel,
               AfterBreak after_break, std::function<void()> on_change);

  void Run();                 // The sending thread.
  absl::Status StreamOnce();  // Until the stream ends, and why.
  absl::Status Open(Stream* stream);
  void SendRequests(Stream* stream);
  std::optional<v1::SampleRequest> NextToSend();  // Blocks; nothing once the stream is over.
  void ReadBatches(Stream* stream, grpc::ClientContext* context);
  absl::Status OnMessage(const grpc::ByteBuffer& message);
  absl::Status SetColumns(const v1::SampleOpened& opened) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetContext(grpc::ClientContext* context);
  void OnConnected() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnBroken();
  // After a break the steps that a want without items waits for may be lost with the server:
  // until something is heard, it asks for what there is.
  void ForgetLostSteps(SampleOptions* options) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::deque<Wanted>::iterator Find(uint64_t ticket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::deque<Wanted>::iterator FirstUnanswered() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropPriorities(const v1::SampleRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ReplaySourceOptions options_;
  const std::string peer_;  // For messages.
  const std::shared_ptr<grpc::Channel> channel_;
  const AfterBreak after_break_;
  const std::function<void()> on_change_;
  CallGroup calls_;
  Outage outage_;  // The sending thread's.

  mutable absl::Mutex mutex_;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  bool connected_ ABSL_GUARDED_BY(mutex_) = false;
  bool stream_over_ ABSL_GUARDED_BY(mutex_) = true;
  bool heard_ ABSL_GUARDED_BY(mutex_) = true;         // A batch since the last break, if any.
  absl::Status bad_message_ ABSL_GUARDED_BY(mutex_);  // What the reader found, if anything.
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;  // The open stream's.
  std::string why_reconnecting_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::SampleOpened> opened_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Wanted> wanted_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::SampleRequest> outgoing_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace cadre
