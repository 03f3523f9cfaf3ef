// Whether actors still append to a table that is sampled: it is unfed once samplers have
// waited for longer than its inserts have ever been apart of late. Pure; not thread-safe.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace cadre {

class ShardFeeding {
 public:
  using Clock = std::chrono::steady_clock;

  // Unfed after so long at least; where inserts come rarely, after kPauses pauses as long as
  // the last one, and kLongest at most.
  explicit ShardFeeding(Clock::duration after) : after_(after) {}

  // What the table says now. True: it is unfed, and stays so until something is inserted.
  bool Note(int64_t inserted_steps, bool samplers_wait, Clock::time_point now) {
    if (inserted_steps != std::exchange(inserted_steps_, inserted_steps)) {
      pause_ = known_ ? now - inserted_at_ : Clock::duration::zero();
      known_ = true;
      unfed_ = false;
      inserted_at_ = waits_since_ = now;
    } else if (!unfed_ && !samplers_wait) {
      waits_since_ = now;
    }
    const Clock::duration patience = std::max(after_, std::min(kPauses * pause_, kLongest));
    unfed_ = unfed_ || now - waits_since_ >= patience;
    return unfed_;
  }

 private:
  static constexpr int kPauses = 3;
  static constexpr Clock::duration kLongest = std::chrono::minutes(1);

  const Clock::duration after_;
  bool known_ = false;
  bool unfed_ = false;
  int64_t inserted_steps_ = -1;
  Clock::duration pause_{};  // Between the last two inserts that were seen.
  Clock::time_point inserted_at_, waits_since_;
};

}  // namespace cadre
