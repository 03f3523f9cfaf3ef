#include "common/files/checkpointer.h"

#include <utility>

#include "absl/synchronization/notification.h"
#include "common/process/monotonic_time.h"
#include "common/process/start_thread.h"

namespace cadre {
namespace {

absl::Status Stopped() { return absl::CancelledError("the checkpointer was stopped"); }

}  // namespace

Checkpointer::Checkpointer(SaveFunction save, absl::Duration period, Listener listener)
    : save_(std::move(save)),
      period_(period),
      listener_(std::move(listener)),
      thread_(StartThreadOrExit("checkpoint", [this] { Run(); })) {}

Checkpointer::~Checkpointer() { Stop(); }

void Checkpointer::Request(Done done) {
  {
    absl::MutexLock lock(&mutex_);
    if (!stopped_) {
      requests_.push_back(std::move(done));
      return;
    }
  }
  done(Stopped());
}

absl::StatusOr<SavedCheckpoint> Checkpointer::Save() {
  absl::StatusOr<SavedCheckpoint> result = Stopped();
  absl::Notification finished;
  Request([&](const absl::StatusOr<SavedCheckpoint>& saved) {
    result = saved;
    finished.Notify();
  });
  finished.WaitForNotification();
  return result;
}

void Checkpointer::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  std::call_once(joined_, [this] { thread_.join(); });
}

void Checkpointer::Run() {
  std::vector<Done> requests;
  while (WaitForWork(&requests)) {
    const MonotonicTime begin = MonotonicTime::Now();
    const absl::StatusOr<SavedCheckpoint> saved = save_();
    if (listener_) listener_(saved, MonotonicTime::Now() - begin);
    for (Done& done : requests) done(saved);
  }
  for (Done& done : requests) done(Stopped());
}

bool Checkpointer::WaitForWork(std::vector<Done>* requests) {
  absl::MutexLock lock(&mutex_);
  AwaitFor(mutex_, absl::Condition(this, &Checkpointer::HasWork), period_);
  requests->clear();
  requests->swap(requests_);
  return !stopped_;
}

}  // namespace cadre
