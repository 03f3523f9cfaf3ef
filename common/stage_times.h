// How long a thread spent in each of a few stages: one clock reading for each
// change of stage. Enter() belongs to the thread that is measured, the rest may be
// called from any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cadre {

template <typename Stage, size_t kStages>
class StageTimes {
 public:
  // The time since the last Enter() counts for the stage that is left.
  void Enter(Stage stage) {
    const int64_t now = NowNanoseconds();
    const uint64_t change = changes_.load(std::memory_order_relaxed);
    changes_.store(change + 1, std::memory_order_relaxed);  // Odd: on the way.
    const int64_t entered_at = entered_at_.load(std::memory_order_relaxed);
    if (entered_at != 0) {
      std::atomic<int64_t>& left = nanoseconds_[current_.load(std::memory_order_relaxed)];
      left.store(left.load(std::memory_order_relaxed) + now - entered_at,
                 std::memory_order_release);
    }
    current_.store(static_cast<size_t>(stage), std::memory_order_release);
    entered_at_.store(now, std::memory_order_release);
    changes_.store(change + 2, std::memory_order_release);
  }

  // Seconds in `stage`, up to now: a stage that lasts counts while it does. Never less than
  // before.
  double seconds(Stage stage) const { return 1e-9 * static_cast<double>(Read()[Index(stage)]); }

  double total_seconds() const {
    int64_t total = 0;
    for (const int64_t nanoseconds : Read()) total += nanoseconds;
    return 1e-9 * static_cast<double>(total);
  }

 private:
  static size_t Index(Stage stage) { return static_cast<size_t>(stage); }

  static int64_t NowNanoseconds() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  }

  std::array<int64_t, kStages> Read() const {
    std::array<int64_t, kStages> nanoseconds = ReadAtOneMoment();
    // The reader's clock may be a hair ahead of that of a change of stage, and a counter
    // that goes back looks like a restart.
    for (size_t i = 0; i < kStages; ++i) {
      int64_t shown = shown_[i].load(std::memory_order_relaxed);
      while (shown < nanoseconds[i] && !shown_[i].compare_exchange_weak(shown, nanoseconds[i])) {
      }
      if (shown > nanoseconds[i]) nanoseconds[i] = shown;
    }
    return nanoseconds;
  }

  // Tried again where a change of stage came between.
  std::array<int64_t, kStages> ReadAtOneMoment() const {
    std::array<int64_t, kStages> nanoseconds{};
    while (true) {
      const uint64_t before = changes_.load(std::memory_order_acquire);
      for (size_t i = 0; i < kStages; ++i)
        nanoseconds[i] = nanoseconds_[i].load(std::memory_order_acquire);
      const size_t current = current_.load(std::memory_order_acquire);
      const int64_t entered_at = entered_at_.load(std::memory_order_acquire);
      if (entered_at != 0) nanoseconds[current] += NowNanoseconds() - entered_at;
      if (before % 2 == 0 && changes_.load(std::memory_order_acquire) == before) return nanoseconds;
    }
  }

  std::array<std::atomic<int64_t>, kStages> nanoseconds_{};  // Of what was left.
  std::atomic<size_t> current_ = 0;
  std::atomic<int64_t> entered_at_ = 0;                        // 0: no stage yet.
  std::atomic<uint64_t> changes_ = 0;                          // Twice the calls of Enter().
  mutable std::array<std::atomic<int64_t>, kStages> shown_{};  // The most that was read.
};

}  // namespace cadre
