// For the tsan preset only. The distribution's Abseil is not built with
// ThreadSanitizer, which so does not see that a mutex or a notification orders what
// is before and after it, and reports races that are none. Linked into an
// executable, these functions stand before the library's own, tell ThreadSanitizer,
// and pass on.
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/base/options.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
}

namespace {

#define NAME_OF_INNER(x) #x
#define NAME_OF(x) NAME_OF_INNER(x)
// Mangled class and method names come after this one.
std::string Mangled(const char* qualifiers, const char* rest) {
  const char* inner = NAME_OF(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  return std::string("_ZN") + qualifiers + "4absl" + std::to_string(std::strlen(inner)) + inner +
         rest;
}

// The library's function. Methods are called with `this` first.
template <typename F>
F* Next(const std::string& name) {
  void* function = dlsym(RTLD_NEXT, name.c_str());
  if (function == nullptr) std::abort();
  return reinterpret_cast<F*>(function);
}

void Acquire(const void* address) { __tsan_acquire(const_cast<void*>(address)); }
void Release(const void* address) { __tsan_release(const_cast<void*>(address)); }

}  // namespace

// Takes the mutex.
#define CADRE_LOCK(METHOD, MANGLED, PARAMETERS, TYPES, ARGUMENTS)     \
  void absl::Mutex::METHOD PARAMETERS {                               \
    static auto* const next = Next<void TYPES>(Mangled("", MANGLED)); \
    next ARGUMENTS;                                                   \
    Acquire(this);                                                    \
  }
CADRE_LOCK(Lock, "5Mutex4LockEv", (), (absl::Mutex*), (this))
CADRE_LOCK(ReaderLock, "5Mutex10ReaderLockEv", (), (absl::Mutex*), (this))
CADRE_LOCK(LockWhen, "5Mutex8LockWhenERKNS0_9ConditionE", (const absl::Condition& condition),
           (absl::Mutex*, const absl::Condition&), (this, condition))

// Gives it back.
#define CADRE_UNLOCK(METHOD, MANGLED)                                         \
  void absl::Mutex::METHOD() {                                                \
    static auto* const next = Next<void(absl::Mutex*)>(Mangled("", MANGLED)); \
    Release(this);                                                            \
    next(this);                                                               \
  }
CADRE_UNLOCK(Unlock, "5Mutex6UnlockEv")
CADRE_UNLOCK(ReaderUnlock, "5Mutex12ReaderUnlockEv")

bool absl::Mutex::TryLock() {
  static auto* const next = Next<bool(absl::Mutex*)>(Mangled("", "5Mutex7TryLockEv"));
  const bool locked = next(this);
  if (locked) Acquire(this);
  return locked;
}

// Gives it back for a while.
void absl::Mutex::Await(const absl::Condition& condition) {
  static auto* const next = Next<void(absl::Mutex*, const absl::Condition&)>(
      Mangled("", "5Mutex5AwaitERKNS0_9ConditionE"));
  Release(this);
  next(this, condition);
  Acquire(this);
}
bool absl::Mutex::AwaitWithTimeout(const absl::Condition& condition, absl::Duration timeout) {
  static auto* const next = Next<bool(absl::Mutex*, const absl::Condition&, absl::Duration)>(
      Mangled("", "5Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE"));
  Release(this);
  const bool result = next(this, condition, timeout);
  Acquire(this);
  return result;
}
bool absl::Mutex::AwaitWithDeadline(const absl::Condition& condition, absl::Time deadline) {
  static auto* const next = Next<bool(absl::Mutex*, const absl::Condition&, absl::Time)>(
      Mangled("", "5Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE"));
  Release(this);
  const bool result = next(this, condition, deadline);
  Acquire(this);
  return result;
}
bool absl::Mutex::LockWhenWithDeadline(const absl::Condition& condition, absl::Time deadline) {
  static auto* const next = Next<bool(absl::Mutex*, const absl::Condition&, absl::Time)>(
      Mangled("", "5Mutex20LockWhenWithDeadlineERKNS0_9ConditionENS0_4TimeE"));
  const bool result = next(this, condition, deadline);
  Acquire(this);
  return result;
}
bool absl::Mutex::LockWhenWithTimeout(const absl::Condition& condition, absl::Duration timeout) {
  static auto* const next = Next<bool(absl::Mutex*, const absl::Condition&, absl::Duration)>(
      Mangled("", "5Mutex19LockWhenWithTimeoutERKNS0_9ConditionENS0_8DurationE"));
  const bool result = next(this, condition, timeout);
  Acquire(this);
  return result;
}
void absl::CondVar::Wait(absl::Mutex* mutex) {
  static auto* const next =
      Next<void(absl::CondVar*, absl::Mutex*)>(Mangled("", "7CondVar4WaitEPNS0_5MutexE"));
  Release(mutex);
  next(this, mutex);
  Acquire(mutex);
}
bool absl::CondVar::WaitWithTimeout(absl::Mutex* mutex, absl::Duration timeout) {
  static auto* const next = Next<bool(absl::CondVar*, absl::Mutex*, absl::Duration)>(
      Mangled("", "7CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE"));
  Release(mutex);
  const bool result = next(this, mutex, timeout);
  Acquire(mutex);
  return result;
}
bool absl::CondVar::WaitWithDeadline(absl::Mutex* mutex, absl::Time deadline) {
  static auto* const next = Next<bool(absl::CondVar*, absl::Mutex*, absl::Time)>(
      Mangled("", "7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE"));
  Release(mutex);
  const bool result = next(this, mutex, deadline);
  Acquire(mutex);
  return result;
}

// Whoever unlocks evaluates the conditions of those who wait, under the mutex but
// after Release above.
bool absl::Condition::Eval() const {
  static auto* const next = Next<bool(const absl::Condition*)>(Mangled("K", "9Condition4EvalEv"));
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  const bool result = next(this);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  return result;
}

void absl::Notification::Notify() {
  static auto* const next = Next<void(absl::Notification*)>(Mangled("", "12Notification6NotifyEv"));
  Release(this);
  next(this);
}
void absl::Notification::WaitForNotification() const {
  static auto* const next =
      Next<void(const absl::Notification*)>(Mangled("K", "12Notification19WaitForNotificationEv"));
  next(this);
  Acquire(this);
}
bool absl::Notification::WaitForNotificationWithTimeout(absl::Duration timeout) const {
  static auto* const next = Next<bool(const absl::Notification*, absl::Duration)>(
      Mangled("K", "12Notification30WaitForNotificationWithTimeoutENS0_8DurationE"));
  const bool result = next(this, timeout);
  if (result) Acquire(this);
  return result;
}

bool absl::BlockingCounter::DecrementCount() {
  static auto* const next =
      Next<bool(absl::BlockingCounter*)>(Mangled("", "15BlockingCounter14DecrementCountEv"));
  Release(this);
  return next(this);
}
void absl::BlockingCounter::Wait() {
  static auto* const next =
      Next<void(absl::BlockingCounter*)>(Mangled("", "15BlockingCounter4WaitEv"));
  next(this);
  Acquire(this);
}
