// How long to wait before the next attempt: exponential, with full jitter, so that
// a thousand clients of a server that restarts do not return in step. Pure:
// randomness is an argument and nobody sleeps here. Not thread-safe.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace cadre {

struct BackoffOptions {
  absl::Duration initial = absl::Milliseconds(100);  // Longest first wait.
  absl::Duration maximum = absl::Seconds(2);         // Longest wait at all.
  double factor = 2;                                 // Growth of the longest wait.
};

class Backoff {
 public:
  explicit Backoff(const BackoffOptions& options) : options_(options), limit_(options.initial) {}

  // The next wait: `uniform`, which is in [0, 1), of the longest that it may be.
  absl::Duration Next(double uniform) {
    const absl::Duration wait = std::min(limit_, options_.maximum) * uniform;
    limit_ = std::min(limit_ * options_.factor, options_.maximum);
    return wait;
  }

  // After a success: the next failure starts anew.
  void Reset() { limit_ = options_.initial; }

 private:
  const BackoffOptions options_;
  absl::Duration limit_;
};

}  // namespace cadre
