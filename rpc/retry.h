// Deadlines, retry and backoff of unary calls. They live here and nowhere else.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"
#include "rpc/backoff.h"
#include "rpc/client/call_group.h"

namespace cadre {

struct RetryPolicy {
  BackoffOptions backoff;
  absl::Duration attempt_timeout = absl::Seconds(30);  // Of one attempt.
  absl::Duration give_up_after = absl::Seconds(60);    // Of all of them together.
};

// Calls `attempt` until it succeeds, fails for good (see IsTransient) or time is up;
// then the last error is returned. Each attempt gets a context of its own that has a
// deadline and is in `calls`. CANCELLED once `calls` is closed, and where it is cut short or was
// and the time that is left then is up. `peer` is for
// messages: "parameter server at 127.0.0.1:5000". Any thread.
absl::Status CallWithRetry(CallGroup& calls, const RetryPolicy& policy, absl::string_view peer,
                           absl::FunctionRef<grpc::Status(grpc::ClientContext&)> attempt);

}  // namespace cadre
