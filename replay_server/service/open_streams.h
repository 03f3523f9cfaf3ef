// The streams that a service has open, so that a server that stops can end them all.
// Thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/process/monotonic_time.h"
#include "grpcpp/support/status.h"

namespace cadre {

class ServerStream {
 public:
  virtual ~ServerStream() = default;
  // Ends the stream, unless it has ended. Any thread, without locks of its own held.
  virtual void End(const grpc::Status& status) = 0;
};

class OpenStreams {
 public:
  // Ends a stream at once that comes after EndAll.
  void Add(const std::shared_ptr<ServerStream>& stream) {
    {
      absl::MutexLock lock(&mutex_);
      if (!ended_) {
        streams_[stream.get()] = stream;
        return;
      }
    }
    stream->End(StoppingStatus());
  }

  void Remove(ServerStream* stream) {
    absl::MutexLock lock(&mutex_);
    streams_.erase(stream);
  }

  // Ends every stream that is open or comes later with UNAVAILABLE: clients try again.
  void EndAll() {
    std::vector<std::shared_ptr<ServerStream>> streams;
    {
      absl::MutexLock lock(&mutex_);
      ended_ = true;
      for (const auto& [key, weak] : streams_)
        if (std::shared_ptr<ServerStream> stream = weak.lock()) streams.push_back(stream);
    }
    for (const std::shared_ptr<ServerStream>& stream : streams) stream->End(StoppingStatus());
  }

  // False if some are still open after `timeout`.
  bool WaitUntilNone(absl::Duration timeout) {
    absl::MutexLock lock(&mutex_);
    const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return streams_.empty(); };
    return AwaitFor(mutex_, absl::Condition(&none), timeout);
  }

  static grpc::Status StoppingStatus() {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the replay server is stopping");
  }

 private:
  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<ServerStream*, std::weak_ptr<ServerStream>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
