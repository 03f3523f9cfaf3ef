// The calls that one client has in flight and the pauses between its attempts, so
// that its Close() ends them all at once. Thread-safe.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"

namespace cadre {

class CallGroup {
 public:
  // A call is in the group while its Member lives. In a closed group it is cancelled
  // before it starts.
  class Member {
   public:
    Member(CallGroup& group, grpc::ClientContext& context);
    ~Member();  // Before the context's.
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

   private:
    CallGroup& group_;
    grpc::ClientContext& context_;
  };

  // Cancels every call and ends every Sleep. Idempotent.
  void Close();
  bool closed() const;

  // False as soon as the group is closed, true after `duration`.
  bool Sleep(absl::Duration duration);

 private:
  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
