// Deadlines of gRPC calls by the monotonic clock: gRPC takes moments of the wall clock too, and
// a call that begins as that is set would end at once, or an hour late.
#pragma once

#include "absl/time/time.h"
#include "grpc/support/time.h"
#include "grpcpp/client_context.h"

namespace cadre {

// The moment that is `timeout` from now.
inline gpr_timespec DeadlineAfter(absl::Duration timeout) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(timeout), GPR_TIMESPAN));
}

// The call ends with DEADLINE_EXCEEDED after `timeout`. Before it begins.
inline void SetTimeout(grpc::ClientContext& context, absl::Duration timeout) {
  context.set_deadline(DeadlineAfter(timeout));
}

}  // namespace cadre
