#include "rpc/client/call_group.h"

#include "common/process/monotonic_time.h"

namespace cadre {

CallGroup::Member::Member(CallGroup& group, grpc::ClientContext& context)
    : Member(group, context, group.cuts()) {}

CallGroup::Member::Member(CallGroup& group, grpc::ClientContext& context, int cuts)
    : group_(group), context_(context) {
  absl::MutexLock lock(&group_.mutex_);
  if (group_.closed_ || group_.cuts_ != cuts) context_.TryCancel();
  group_.contexts_.insert(&context_);
}

CallGroup::Member::~Member() {
  absl::MutexLock lock(&group_.mutex_);
  group_.contexts_.erase(&context_);
}

void CallGroup::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  CancelAll();
}

void CallGroup::CancelAll() {
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
}

void CallGroup::CutShort(absl::Duration limit) {
  absl::MutexLock lock(&mutex_);
  ++cuts_;
  limit_ = limit;
  CancelAll();
}

int CallGroup::cuts() const {
  absl::MutexLock lock(&mutex_);
  return cuts_;
}

absl::Duration CallGroup::limit() const {
  absl::MutexLock lock(&mutex_);
  return limit_;
}

bool CallGroup::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

bool CallGroup::Sleep(absl::Duration duration, int cuts) {
  absl::MutexLock lock(&mutex_);
  const auto ended = [this, cuts]()
                         ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || cuts_ != cuts; };
  return !AwaitFor(mutex_, absl::Condition(&ended), duration);
}

}  // namespace cadre
