// Keeps sampling and inserting in step: how many items may be sampled for each that
// is inserted, within a buffer. With i items inserted, s sampled, r samples per
// insert, m the minimum size and e the error buffer,
//
//   sampling of n     once the table holds m items, while  s + n <= r (i - m) + e
//   inserting of n    while it holds fewer than m, or while  r (i + n - m) - e <= s
//
// where what goes in before the minimum size is reached counts for nothing. Pure; not
// thread-safe.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

class RateLimiter {
 public:
  // Everything that a checkpoint needs.
  struct State {
    int64_t inserted = 0;
    int64_t sampled = 0;
  };

  explicit RateLimiter(const RateLimiterConfig& config) : config_(config) {}

  // `size`: items that the table holds now.
  bool MayInsert(int64_t items, int64_t size) const;
  bool MaySample(int64_t items, int64_t size) const;

  void Insert(int64_t items) { state_.inserted += items; }
  void Sample(int64_t items) { state_.sampled += items; }

  // INVALID_ARGUMENT where a request of so many items could never be let through,
  // with the error buffer that would do.
  absl::Status CheckInsert(int64_t items) const;
  absl::Status CheckSample(int64_t items) const;

  // Why the next sample of one item, or else the next insert of one, would wait.
  v1::LimiterState Verdict(int64_t size) const;

  // Samples per insert since the minimum size was reached; 0 before.
  double observed() const;

  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  const RateLimiterConfig config_;
  State state_;
};

}  // namespace cadre
