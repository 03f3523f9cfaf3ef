// Lets one line of each kind into the log now and then, and counts the others: for what
// others cause, as often as they like. Pure: the clock is an argument. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace cadre {

class LogThrottle {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LogThrottle(Clock::duration period = std::chrono::minutes(1)) : period_(period) {}

  // Whether to log a line of `kind` now; if so, how many were left out since the last. Kinds
  // must be few: each is remembered.
  std::optional<int64_t> Admit(absl::string_view kind, Clock::time_point now) {
    absl::MutexLock lock(&mutex_);
    const auto [it, first] = kinds_.try_emplace(kind);
    Kind& seen = it->second;
    if (!first && now < seen.logged + period_) {
      ++seen.left_out;
      return std::nullopt;
    }
    seen.logged = now;
    return std::exchange(seen.left_out, 0);
  }

  // What to put behind a line: "", or " (and 12 more like it)".
  static std::string Others(int64_t left_out) {
    return left_out == 0 ? std::string() : absl::StrCat(" (and ", left_out, " more like it)");
  }

 private:
  struct Kind {
    Clock::time_point logged;
    int64_t left_out = 0;
  };

  const Clock::duration period_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Kind> kinds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cadre
