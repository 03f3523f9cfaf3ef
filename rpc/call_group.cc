#include "rpc/call_group.h"

#include "common/monotonic_time.h"

namespace cadre {

CallGroup::Member::Member(CallGroup& group, grpc::ClientContext& context)
    : group_(group), context_(context) {
  absl::MutexLock lock(&group_.mutex_);
  if (group_.closed_) context_.TryCancel();
  group_.contexts_.insert(&context_);
}

CallGroup::Member::~Member() {
  absl::MutexLock lock(&group_.mutex_);
  group_.contexts_.erase(&context_);
}

void CallGroup::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
}

bool CallGroup::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

bool CallGroup::Sleep(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  return !AwaitFor(mutex_, absl::Condition(&closed_), duration);
}

}  // namespace cadre
