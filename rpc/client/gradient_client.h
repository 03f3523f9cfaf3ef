// GradientSink of a cluster: pushes gradients to a parameter server in another process.
// Connects by itself, and again after every break; Create() does not wait for the server.
// Thread-safe; pushes of one sink go one after the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/ports.h"
#include "common/process/monotonic_time.h"
#include "proto/parameters.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/client/call_group.h"
#include "rpc/retry.h"

namespace cadre {

struct GradientClientOptions {
  std::string address;  // Of the parameter server, host:port.
  std::string run_id;
  RetryPolicy retry;  // After it the call fails; the next one begins anew.
  ChannelOptions channel;
  // How old the optimiser's state may be that is handed to a server that lost its own.
  absl::Duration optimizer_period = absl::Seconds(60);
};

// A gradient keeps its sequence through every attempt, so that the server applies it once.
//
// A server that restarts may have less than this sink has seen: nothing, or an older
// snapshot. It says so to the next push (NOT_FOUND, OUT_OF_RANGE); then the sink hands over
// the newest version that it knows, with the sequences of all learners whose gradients are
// in it and the optimiser's state as it was fetched last, and pushes again. So versions
// never go back, no gradient counts twice, and what is lost is what nobody had been
// answered with yet.
//
// Another learner may have been faster, with an older version. Then steps that the server had
// counted are missing in its answers, which name the steps of each learner, and this sink hands
// over what it knows for their sake. So the gradients may be lost, but not the steps: they count
// once, as long as there is a learner that was told of them.
class RemoteGradientSink final : public GradientSink {
 public:
  // INVALID_ARGUMENT for what is not an address.
  static absl::StatusOr<std::unique_ptr<RemoteGradientSink>> Create(
      const GradientClientOptions& options);
  ~RemoteGradientSink() override;  // Close().

  absl::StatusOr<ParametersPtr> Start(v1::SharedModel model) override;
  // FAILED_PRECONDITION also where the model was not started here.
  absl::StatusOr<PushedGradient> Push(v1::Gradient gradient) override;
  absl::StatusOr<v1::SharedModel> Fetch(const std::string& model) override;
  void CutShort() override { calls_.CutShort(ParameterSink::kLastCall); }
  void Close() override;

 private:
  // What is known of a model.
  struct Known {
    v1::SharedModel model;            // All but its parameters.
    ParametersPtr newest;             // Version 1 or more. `model.pushed` is of the same moment.
    MonotonicTime optimizer_fetched;  // Long ago at first.
    int64_t pushed_steps = 0;         // Of all gradients that were pushed here.
  };

  RemoteGradientSink(const GradientClientOptions& options,
                     const std::shared_ptr<grpc::Channel>& channel);
  absl::StatusOr<PushedGradient> PushOnce(const v1::PushGradientRequest& request, Known& known)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandOver(Known& known) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<v1::SharedModel> FetchOnce(const std::string& model);
  void RefreshOptimizer(Known& known) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <typename Attempt>
  absl::Status Call(Attempt attempt);

  const GradientClientOptions options_;
  const std::string peer_;  // For messages.
  const uint64_t learner_id_;
  const std::unique_ptr<v1::ParameterService::Stub> stub_;
  CallGroup calls_;

  absl::Mutex mutex_;  // Held through a call: Close() cancels it.
  uint64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::string, Known> known_ ABSL_GUARDED_BY(mutex_);  // By model.
};

}  // namespace cadre
