#include "common/process/monotonic_time.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "common/process/start_thread.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

using Clock = std::chrono::steady_clock;

// Ends waits whose time is up: Abseil looks at the conditions of those who wait on a mutex
// whenever somebody unlocks it, and this is who does. One thread for the whole process, which
// sleeps by the monotonic clock. It lives as long as the process, as waits do that are still
// under way when static objects go.
class Alarms {
 public:
  struct Alarm {
    absl::Mutex* mutex;
    bool up = false;  // Guarded by *mutex.
  };

  // Null where there is no thread for it now.
  static Alarms* Get() {
    static std::atomic<Alarms*> alarms{nullptr};
    if (Alarms* const started = alarms.load(std::memory_order_acquire)) return started;
    static std::mutex starting;
    const std::lock_guard<std::mutex> lock(starting);
    if (alarms.load(std::memory_order_relaxed) == nullptr)
      alarms.store(Start(), std::memory_order_release);
    return alarms.load(std::memory_order_relaxed);
  }

  void Add(Alarm& alarm, Clock::time_point at) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool first = alarms_.empty() || at < alarms_.begin()->first;
    alarms_.emplace(at, &alarm);
    if (first) changed_.notify_one();
  }

  // False: it is just going off, and needs its mutex for that.
  bool Remove(const Alarm& alarm, Clock::time_point at) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (going_off_ == &alarm) return false;
    for (auto [entry, end] = alarms_.equal_range(at); entry != end; ++entry) {
      if (entry->second != &alarm) continue;
      alarms_.erase(entry);
      break;
    }
    return true;
  }

  // Until it touches neither the alarm nor its mutex any more.
  void WaitUntilGoneOff(const Alarm& alarm) {
    std::unique_lock<std::mutex> lock(mutex_);
    gone_off_.wait(lock, [&] { return going_off_ != &alarm; });
  }

 private:
  Alarms() = default;

  static Alarms* Start() {
    auto alarms = std::unique_ptr<Alarms>(new Alarms);
    absl::StatusOr<std::thread> thread = StartThread("alarms", [a = alarms.get()] { a->Run(); });
    if (thread.ok()) {
      alarms->thread_ = *std::move(thread);
      return alarms.release();
    }
    static bool said = false;
    if (!std::exchange(said, true))
      spdlog::warn("{}; until there is one, waits end by the wall clock",
                   std::string(thread.status().message()));
    return nullptr;
  }

  void Run() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      if (alarms_.empty()) {
        changed_.wait(lock);
      } else if (const Clock::time_point at = alarms_.begin()->first; Clock::now() < at) {
        changed_.wait_until(lock, at);
      } else {
        going_off_ = alarms_.begin()->second;
        alarms_.erase(alarms_.begin());
        lock.unlock();
        {
          absl::MutexLock waiter(going_off_->mutex);
          going_off_->up = true;
        }
        lock.lock();
        going_off_ = nullptr;
        gone_off_.notify_all();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_, gone_off_;
  std::multimap<Clock::time_point, Alarm*> alarms_;
  Alarm* going_off_ = nullptr;  // Written by the thread alone.
  std::thread thread_;
};

}  // namespace

MonotonicTime MonotonicTime::Now() {
  return MonotonicTime(absl::FromChrono(Clock::now().time_since_epoch()));
}

bool AwaitFor(absl::Mutex& mutex, const absl::Condition& condition, absl::Duration timeout) {
  if (condition.Eval() || timeout <= absl::ZeroDuration()) return condition.Eval();
  // More than a clock can count is for ever.
  if (timeout > absl::Hours(24 * 365 * 10)) {
    mutex.Await(condition);
    return true;
  }
  Alarms* const alarms = Alarms::Get();
  if (alarms == nullptr) return mutex.AwaitWithTimeout(condition, timeout);
  Alarms::Alarm alarm{&mutex};
  const Clock::time_point at = Clock::now() + absl::ToChronoNanoseconds(timeout);
  alarms->Add(alarm, at);
  const auto over = [&] { return alarm.up || condition.Eval(); };
  mutex.Await(absl::Condition(&over));
  if (!alarms->Remove(alarm, at)) {
    mutex.Unlock();
    alarms->WaitUntilGoneOff(alarm);
    mutex.Lock();
  }
  return condition.Eval();
}

}  // namespace cadre
