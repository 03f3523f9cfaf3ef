#include "replay_server/table_checkpointer.h"

#include <pthread.h>

#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace cadre {
namespace {

absl::Status Stopped() { return absl::CancelledError("the checkpointer was stopped"); }

}  // namespace

TableCheckpointer::TableCheckpointer(TableCheckpointerOptions options,
                                     std::vector<CheckpointedTable> tables, Listener listener)
    : options_(std::move(options)),
      tables_(std::move(tables)),
      listener_(std::move(listener)),
      thread_([this] { Run(); }) {}

TableCheckpointer::~TableCheckpointer() { Stop(); }

void TableCheckpointer::Request(Done done) {
  {
    absl::MutexLock lock(&mutex_);
    if (!stopped_) {
      requests_.push_back(std::move(done));
      return;
    }
  }
  done(Stopped());
}

absl::StatusOr<SavedCheckpoint> TableCheckpointer::Save() {
  absl::StatusOr<SavedCheckpoint> result = Stopped();
  absl::Notification finished;
  Request([&](const absl::StatusOr<SavedCheckpoint>& saved) {
    result = saved;
    finished.Notify();
  });
  finished.WaitForNotification();
  return result;
}

void TableCheckpointer::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  std::call_once(joined_, [this] { thread_.join(); });
}

void TableCheckpointer::Run() {
  pthread_setname_np(pthread_self(), "checkpoint");
  std::vector<Done> requests;
  while (WaitForWork(&requests)) {
    const absl::Time begin = absl::Now();
    const absl::StatusOr<SavedCheckpoint> saved =
        SaveTables(options_.folder, tables_, options_.keep);
    if (listener_) listener_(saved, absl::Now() - begin);
    for (Done& done : requests) done(saved);
  }
  for (Done& done : requests) done(Stopped());
}

bool TableCheckpointer::WaitForWork(std::vector<Done>* requests) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(this, &TableCheckpointer::HasWork), options_.period);
  requests->clear();
  requests->swap(requests_);
  return !stopped_;
}

}  // namespace cadre
