// Calls back once after a time, on a thread of its own, unless it goes before.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/process/event.h"
#include "common/process/start_thread.h"

namespace cadre {

class Timer {
 public:
  // RESOURCE_EXHAUSTED where there is no thread for it.
  static absl::StatusOr<std::unique_ptr<Timer>> Start(absl::Duration after,
                                                      std::function<void()> call) {
    std::unique_ptr<Timer> timer(new Timer);
    absl::StatusOr<std::thread> thread =
        StartThread("timer", [timer = timer.get(), after, call = std::move(call)] {
          if (!timer->gone_.WaitFor(after)) call();
        });
    if (!thread.ok()) return thread.status();
    timer->thread_ = *std::move(thread);
    return timer;
  }
  // Where there is no thread for it, calls at once and returns null.
  static std::unique_ptr<Timer> StartOrCall(absl::Duration after,
                                            const std::function<void()>& call) {
    absl::StatusOr<std::unique_ptr<Timer>> timer = Start(after, call);
    if (timer.ok()) return *std::move(timer);
    call();
    return nullptr;
  }

  // Waits for a call that has begun.
  ~Timer() {
    gone_.Notify();
    if (thread_.joinable()) thread_.join();
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  Timer() = default;

  Event gone_;
  std::thread thread_;
};

}  // namespace cadre
