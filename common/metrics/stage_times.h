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
  // From now on time counts for `stage`.
  void Enter(Stage stage) {
    const int64_t now = NowNanoseconds();
    if (entered_) Add(current_, now);
    Add(stage, -now);
    current_ = stage;
    entered_ = true;
  }

  // Seconds in `stage`, those of a stage that lasts included.
  double seconds(Stage stage) const {
    int64_t value = nanoseconds_[static_cast<size_t>(stage)].load(std::memory_order_relaxed);
    if (value < 0) value += NowNanoseconds();
    return 1e-9 * static_cast<double>(value);
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

  // There is only one writer.
  void Add(Stage stage, int64_t nanoseconds) {
    std::atomic<int64_t>& sum = nanoseconds_[static_cast<size_t>(stage)];
    sum.store(sum.load(std::memory_order_relaxed) + nanoseconds, std::memory_order_relaxed);
  }

  // Of a stage that lasts, less the time when it began: below 0 then, as the clock counts
  // from long before. So a reader knows both from one word.
  std::array<std::atomic<int64_t>, kStages> nanoseconds_{};
  Stage current_{};
  bool entered_ = false;
};

}  // namespace cadre
