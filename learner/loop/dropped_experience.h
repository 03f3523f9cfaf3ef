// Counts experience that a learner left out because it could not be learned from, and logs
// why, once a minute. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/process/repeated_events.h"
#include "spdlog/spdlog.h"

namespace cadre {

class DroppedExperience {
 public:
  // `what`: "an item", "a rollout".
  void Count(int64_t count, absl::string_view what, absl::string_view reason) {
    if (count == 0) return;
    count_ += count;
    if (events_.Count(0, reason, RepeatedEvents::Time::clock::now()) > 0)
      spdlog::warn("left out {} that cannot be learned from: {} ({} in all)", std::string(what),
                   std::string(reason), count_);
  }
  int64_t count() const { return count_; }

 private:
  int64_t count_ = 0;
  RepeatedEvents events_;
};

}  // namespace cadre
