// One bidirectional stream on the server: requests are read one at a time, responses
// are pulled from the stream whenever the previous one is out, and it may be ended
// from any thread. What requests mean is the derived class's.
//
// Lifetime: a reactor owns itself from Start() until gRPC is done with it; whoever
// may call it from elsewhere (queue callbacks) holds a shared_ptr or weak_ptr.
//
// Request and Response are messages, or grpc::ByteBuffer where the derived class reads
// and writes the bytes itself.
//
// Locks: gRPC's Start... and Finish only begin an operation, so they are called with
// mutex_ held; a Queue or Table runs callbacks of other streams, so it never is.
#pragma once

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/support/server_callback.h"
#include "replay_server/service/open_streams.h"
#include "rpc/status.h"

namespace cadre {

template <typename Request, typename Response>
class StreamReactor : public grpc::ServerBidiReactor<Request, Response>,
                      public ServerStream,
                      public std::enable_shared_from_this<StreamReactor<Request, Response>> {
 public:
  // `streams` must outlive the server. Returns this, for gRPC.
  grpc::ServerBidiReactor<Request, Response>* Start(OpenStreams* streams) {
    self_ = this->shared_from_this();
    streams_ = streams;
    streams_->Add(self_);
    ReadNext();
    return this;
  }

  void End(const grpc::Status& status) final ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (ending_) return;
      ending_ = true;
      this->Finish(status);
    }
    OnEnd();
  }

 protected:
  // One request, to be answered by exactly one ReadNext() or End(), now or later.
  virtual void OnRequest(Request& request) = 0;
  // The next response, or null: asked again after Wake().
  virtual std::shared_ptr<const Response> NextResponse() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // The stream has begun to end: release what others hold for it. Once.
  virtual void OnEnd() = 0;
  // gRPC uses nothing of this any more. Once, after no reaction can follow.
  virtual void OnGone() {}

  void ReadNext() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!ending_) this->StartRead(&request_);
  }
  // There may be a response now.
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (ending_ || writing_ != nullptr) return;
    writing_ = NextResponse();
    if (writing_ != nullptr) this->StartWrite(writing_.get());
  }
  bool ending() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ending_; }

  absl::Mutex mutex_;

 private:
  void OnReadDone(bool ok) final {
    if (ok) {
      OnRequest(request_);
    } else {
      End(grpc::Status::OK);  // The client has said all that it will.
    }
  }
  void OnWriteDone(bool ok) final {
    {
      absl::MutexLock lock(&mutex_);
      writing_ = nullptr;
      if (ok) Wake();
    }
    if (!ok) End(grpc::Status::CANCELLED);
  }
  void OnCancel() final { End(grpc::Status::CANCELLED); }
  void OnDone() final {
    OnGone();
    streams_->Remove(this);
    const auto self = std::move(self_);
  }

  Request request_;  // Of the read in progress; the reaction's between reads.
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const Response> writing_ ABSL_GUARDED_BY(mutex_);
  OpenStreams* streams_ = nullptr;
  std::shared_ptr<ServerStream> self_;
};

}  // namespace cadre
