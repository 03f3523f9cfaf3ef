// The parameter ports of a cluster: what workers use instead of ParameterStore when
// it is in another process. Both connect by themselves, and again after every break;
// Create() does not wait for the server. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/ports.h"
#include "proto/parameters.grpc.pb.h"
#include "rpc/backoff.h"
#include "rpc/channel.h"
#include "rpc/client/call_group.h"
#include "rpc/retry.h"

namespace cadre {

struct ParameterClientOptions {
  std::string address;  // Of the parameter server, host:port.
  std::string run_id;
  std::string model;  // What a source follows. A sink takes it from what it publishes.
  // How a source asks for its values; whoever reads them sees float32 either way.
  v1::ValueEncoding encoding = v1::VALUE_ENCODING_FLOAT32;
  // Where given, a source calls it on its own thread with each message that comes, null
  // where it has no parameters.
  std::function<void(const ParametersPtr&, v1::RunState)> on_message;
  RetryPolicy retry;
  ChannelOptions channel;
};

// Follows one model through a Watch stream on a thread of its own. What the server
// refuses for good, such as another run id, ends that thread and is returned by
// every later WaitNewer.
class RemoteParameterSource final : public ParameterSource {
 public:
  // INVALID_ARGUMENT for what is not an address.
  static absl::StatusOr<std::unique_ptr<RemoteParameterSource>> Create(
      const ParameterClientOptions& options);
  ~RemoteParameterSource() override;  // Close(), and joins the thread.

  ParametersPtr Newest() override;
  // Where the time is over, the message says what keeps the server away, if so.
  absl::StatusOr<ParametersPtr> WaitNewer(int64_t version, absl::Duration timeout) override;
  // RUN_STATE_UNSPECIFIED until the server was reached first.
  v1::RunState run_state() override;
  void Close() override;

  // For other calls to the same server.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  RemoteParameterSource(const ParameterClientOptions& options,
                        const std::shared_ptr<grpc::Channel>& channel);
  void Follow();                             // The thread.
  absl::Status WatchOnce(Backoff* backoff);  // Until the stream ends, and why.
  void ConnectAnew();
  absl::Status Take(std::shared_ptr<v1::WatchResponse> response);

  const ParameterClientOptions options_;
  const std::string peer_;  // For messages.
  const std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ParameterService::Stub> stub_;  // The thread's.
  CallGroup calls_;

  absl::Mutex mutex_;  // Held for a moment only.
  ParametersPtr newest_ ABSL_GUARDED_BY(mutex_);
  v1::RunState run_state_ ABSL_GUARDED_BY(mutex_) = v1::RUN_STATE_UNSPECIFIED;
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);  // OK while the stream lives.
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;       // Closed, or refused for good.

  std::thread thread_;
};

// Publishes; a call that meets a broken connection is retried as options.retry says.
//
// A parameter server holds its versions in memory, so one that restarts is empty, and
// in lockstep nobody would ever fill it again: the actors wait for a version, the
// learner for their experience. So the sink keeps the newest version of each model
// (it shares them, it copies nothing) and a thread holds open a Watch that asks for
// no parameters. When that stream comes up again, the thread compares what the server
// has and gives it what it lost, run state included.
class RemoteParameterSink final : public ParameterSink {
 public:
  // INVALID_ARGUMENT for what is not an address.
  static absl::StatusOr<std::unique_ptr<RemoteParameterSink>> Create(
      const ParameterClientOptions& options);
  ~RemoteParameterSink() override;  // Close(), and joins the thread.

  absl::Status Publish(ParametersPtr parameters) override;
  absl::Status SetRunState(v1::RunState state) override;
  void CutShort() override { sends_.CutShort(kLastCall); }
  void Close() override;

  // For other calls to the same server.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  RemoteParameterSink(const ParameterClientOptions& options,
                      const std::shared_ptr<grpc::Channel>& channel);
  absl::Status Send(const v1::Parameters& parameters);
  absl::Status SendRunState(v1::RunState state);
  void Guard();                              // The thread.
  absl::Status GuardOnce(Backoff* backoff);  // Until the stream ends, and why.
  absl::Status Restore();

  const ParameterClientOptions options_;
  const std::string peer_;  // For messages.
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::ParameterService::Stub> stub_;
  CallGroup sends_;  // Publications and run states.
  CallGroup calls_;  // All else.

  absl::Mutex mutex_;  // Held for a moment only.
  absl::flat_hash_map<std::string, ParametersPtr> stored_ ABSL_GUARDED_BY(mutex_);  // By model.
  v1::RunState run_state_ ABSL_GUARDED_BY(mutex_) = v1::RUN_STATE_UNSPECIFIED;  // Set here last.

  std::thread thread_;
};

}  // namespace cadre
