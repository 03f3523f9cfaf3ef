// Parameters that are older than the newest by a number of versions, on purpose: for
// experiments on staleness. Stands between an actor and the source that it follows, and
// answers with what that source had `delay` versions before its newest, or, until there
// were so many, with the oldest that was seen here. If the source skips versions the
// answer may be older still, up to the age at which the queue would drop what is made with
// it: a learner that was restarted may leave many versions out, and would wait for ever for
// actors that wait for its next ones. Versions keep their numbers, so that the lag is
// measured as ever. For one thread, apart from run_state() and Close().
#pragma once

#include <cstdint>
#include <deque>

#include "common/ports.h"

namespace cadre {

class DelayedParameterSource final : public ParameterSource {
 public:
  // `source` must outlive it. `oldest`: versions by which an answer may be behind the newest,
  // at least `delay`.
  DelayedParameterSource(ParameterSource* source, int64_t delay, int64_t oldest)
      : source_(source), delay_(delay), oldest_(oldest) {}

  ParametersPtr Newest() override;

  // Asked for one newer than the last answer, it waits until the source has a newer one
  // than it had then. The answer may be the same once more: while the source has made
  // fewer than `delay` versions there is no newer one that is old enough.
  absl::StatusOr<ParametersPtr> WaitNewer(int64_t version, absl::Duration timeout) override;

  v1::RunState run_state() override { return source_->run_state(); }
  void Close() override { source_->Close(); }

 private:
  // Takes note of the source's newest; returns the one to act with.
  ParametersPtr Delayed(ParametersPtr newest);

  ParameterSource* const source_;
  const int64_t delay_;
  const int64_t oldest_;
  std::deque<ParametersPtr> seen_;  // Ascending; none older than what was answered last.
};

}  // namespace cadre
