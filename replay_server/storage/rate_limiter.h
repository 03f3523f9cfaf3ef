// Keeps sampling and inserting in step: how many items may be sampled for each that
// is inserted, within a buffer. With i items inserted, s sampled, r samples per
// insert, m the minimum size and e the error buffer,
//
//   sampling of n     once the table holds m items, while  s + n <= r (i - m) + e
//   inserting of n    while it holds fewer than m, or while  r (i + n - m) - e <= s
//
// so that the first m items count for nothing, and while the table holds m or more the
// lead of inserting, d = r (i - m) - s, stays within [-e, e]. (A table that shrank below
// m fills up again whatever the lead, which may then be larger until it was sampled off.)
// With r = 0 only the minimum size counts.
//
// No deadlock: with requests to insert a and to sample b, both wait only where
// e - r a < d < b - e. No d is in there where r a + b <= 2 e, so CheckInsert wants
// r a <= e and CheckSample b <= e: each can judge its own request, and whoever passed
// is let through once the others that passed have done their part.
//
// Pure; not thread-safe.
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

  // `size`: items that the table holds now; those that are to be inserted not among them.
  bool MayInsert(int64_t items, int64_t size) const;
  bool MaySample(int64_t items, int64_t size) const;

  void Insert(int64_t items) { state_.inserted += items; }
  void Sample(int64_t items) { state_.sampled += items; }

  // INVALID_ARGUMENT where a request of so many items might wait for ever (see above),
  // with the error buffer that would do.
  absl::Status CheckInsert(int64_t items) const;
  absl::Status CheckSample(int64_t items) const;

  // Why the next sample of one item, or else the next insert of one, would wait.
  v1::LimiterState Verdict(int64_t size) const;

  // Samples for each item inserted past the minimum size; 0 before.
  double observed() const;

  // That of a limiter that has let so many items be inserted and nobody be ahead: for a table
  // that was filled under another config.
  State Balanced(int64_t inserted) const;

  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  bool limits_ratio() const { return config_.samples_per_insert() > 0; }
  // Samples that so many inserted items are worth: r (inserted - m).
  double Allowance(int64_t inserted) const;

  const RateLimiterConfig config_;
  State state_;
};

}  // namespace cadre
