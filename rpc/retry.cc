#include "rpc/retry.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "common/process/monotonic_time.h"
#include "rpc/call_timeout.h"
#include "rpc/status.h"

namespace cadre {

absl::Status CallWithRetry(CallGroup& calls, const RetryPolicy& policy, absl::string_view peer,
                           absl::FunctionRef<grpc::Status(grpc::ClientContext&)> attempt) {
  const int cuts = calls.cuts();
  const absl::Duration patience = std::min(policy.give_up_after, calls.limit());
  const bool hurried = patience < policy.give_up_after;
  const MonotonicTime give_up = MonotonicTime::Now() + patience;
  const auto cut_short = [peer] {
    return absl::CancelledError(absl::StrCat(peer, ": there was no time left for it"));
  };
  Backoff backoff(policy.backoff);
  absl::BitGen random;
  absl::Status error;  // Why there is another attempt.
  while (true) {
    grpc::ClientContext context;
    SetTimeout(context, std::min(policy.attempt_timeout, give_up - MonotonicTime::Now()));
    absl::Status status;
    {
      CallGroup::Member member(calls, context, cuts);
      status = FromGrpcStatus(attempt(context), peer);
    }
    if (status.ok() || !IsTransient(status)) return status;
    if (calls.cuts() != cuts && !calls.closed()) return cut_short();
    // That an attempt ran out of time says less than what came before it.
    if (error.ok() || !absl::IsDeadlineExceeded(status)) error = status;
    const absl::Duration pause = backoff.Next(absl::Uniform(random, 0.0, 1.0));
    if (MonotonicTime::Now() + pause >= give_up) {
      if (hurried) return cut_short();
      return absl::Status(error.code(), absl::StrCat(error.message(), "; gave up after ",
                                                     absl::FormatDuration(patience)));
    }
    if (!calls.Sleep(pause, cuts)) {
      if (calls.closed()) return absl::CancelledError(absl::StrCat(peer, ": client closed"));
      return cut_short();
    }
  }
}

}  // namespace cadre
