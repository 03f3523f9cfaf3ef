// The calls that one client has in flight and the pauses between its attempts, so
// that its Close() ends them all at once; or CutShort(), after which there is a little time for
// others. Thread-safe.
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
  // before it starts, as it is where the group was cut short since `cuts` was its number of cuts.
  class Member {
   public:
    Member(CallGroup& group, grpc::ClientContext& context);
    Member(CallGroup& group, grpc::ClientContext& context, int cuts);
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

  // Cancels every call and ends every Sleep, once. A CallWithRetry that begins later has `limit`
  // for all of its attempts.
  void CutShort(absl::Duration limit);
  int cuts() const;
  absl::Duration limit() const;  // Infinite at first.

  // False as soon as the group is closed or cut short, true after `duration`; false as well where
  // it was cut short since `cuts` was its number of cuts.
  bool Sleep(absl::Duration duration) { return Sleep(duration, cuts()); }
  bool Sleep(absl::Duration duration, int cuts);

 private:
  void CancelAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int cuts_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration limit_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  absl::flat_hash_set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
