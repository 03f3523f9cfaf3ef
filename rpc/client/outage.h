// How a client that holds a stream open gets over breaks of its connection: when to
// try again, and when to give up. Logs each break once. Not thread-safe.
#pragma once

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/process/monotonic_time.h"
#include "rpc/backoff.h"
#include "rpc/client/call_group.h"

namespace cadre {

struct OutageOptions {
  BackoffOptions backoff;
  // From the first failed attempt on.
  absl::Duration connect_timeout = absl::Seconds(60);    // To reach the server at first.
  absl::Duration reconnect_timeout = absl::Minutes(10);  // To reach it again after a break.
};

class Outage {
 public:
  explicit Outage(const OutageOptions& options)
      : options_(options), backoff_(options.backoff), limit_(options.connect_timeout) {}

  // The server has answered.
  void Over();

  // The stream could not be opened, or broke, with `error`. Pauses, and returns OK to
  // try again; else the error to give up with: it is not transient, the time is up,
  // or `calls` is closed.
  absl::Status Pause(CallGroup& calls, const absl::Status& error);

 private:
  const OutageOptions options_;
  Backoff backoff_;
  absl::Duration limit_;
  MonotonicTime began_ = MonotonicTime::InfiniteFuture();  // While there is none.
  absl::BitGen random_;
};

}  // namespace cadre
