// Calls back once after a time, on a thread of its own, unless it goes before.
#pragma once

#include <pthread.h>

#include <functional>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "common/event.h"

namespace cadre {

class Timer {
 public:
  Timer(absl::Duration after, std::function<void()> call)
      : thread_([this, after, call = std::move(call)] {
          pthread_setname_np(pthread_self(), "timer");
          if (!gone_.WaitFor(after)) call();
        }) {}
  // Waits for a call that has begun.
  ~Timer() {
    gone_.Notify();
    thread_.join();
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  Event gone_;
  std::thread thread_;
};

}  // namespace cadre
