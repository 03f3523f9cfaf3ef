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
    if (entered_at_ != 0)
      nanoseconds_[static_cast<size_t>(current_)].fetch_add(now - entered_at_,
                                                            std::memory_order_relaxed);
    current_ = stage;
    entered_at_ = now;
  }

  // Seconds in `stage`, up to the last change of stage.
  double seconds(Stage stage) const {
    return 1e-9 * static_cast<double>(
                      nanoseconds_[static_cast<size_t>(stage)].load(std::memory_order_relaxed));
  }

  double total_seconds() const {
    double total = 0;
    for (size_t i = 0; i < kStages; ++i) total += seconds(static_cast<Stage>(i));
    return total;
  }

 private:
  static int64_t NowNanoseconds() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  }

  std::array<std::atomic<int64_t>, kStages> nanoseconds_{};
  Stage current_{};
  int64_t entered_at_ = 0;
};

}  // namespace cadre
