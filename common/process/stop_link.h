// Ties a stop action to the shutdown signal for as long as this object lives: what
// the action uses may go before the signal does.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/process/shutdown.h"

namespace cadre {

class StopLink {
 public:
  // `stop` runs at most once, on the signal's thread; not after the destructor.
  StopLink(ShutdownSignal& shutdown, std::function<void()> stop)
      : action_(std::make_shared<Action>()) {
    {
      absl::MutexLock lock(&action_->mutex);
      action_->stop = std::move(stop);
    }
    shutdown.OnShutdown([action = action_] {
      absl::MutexLock lock(&action->mutex);
      if (action->stop) action->stop();
    });
  }
  ~StopLink() {
    absl::MutexLock lock(&action_->mutex);
    action_->stop = nullptr;
  }
  StopLink(const StopLink&) = delete;
  StopLink& operator=(const StopLink&) = delete;

 private:
  struct Action {
    absl::Mutex mutex;
    std::function<void()> stop ABSL_GUARDED_BY(mutex);
  };
  const std::shared_ptr<Action> action_;
};

}  // namespace cadre
