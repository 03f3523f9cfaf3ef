// Learners that move one model together as processes, on one machine or many, through
// LibTorch's own engine, c10d: NCCL for tensors on GPUs where LibTorch and this were built
// with it and each learner has a GPU of its own, gloo for all else. They meet at a store that
// rank 0 serves.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "learner/algorithms/optimization/collective.h"

namespace cadre {

struct C10dOptions {
  std::string address;  // Rendezvous, host:port. Rank 0 listens on the port, on all interfaces.
  int rank = 0;
  int size = 1;
  // Until all are there. A learner that comes while those that it belonged to before have
  // not ended yet waits for them to end.
  absl::Duration join_timeout = absl::Seconds(60);
  // Of a sum, the wait for the slowest learner's experience included. A learner that dies
  // is noticed at once: this is for networks and machines that fall silent.
  absl::Duration timeout = absl::Minutes(10);
  // Asked while joining, which true ends with CANCELLED, and during a sum, which then waits a
  // second more for the others to agree on a last update; after that it is CANCELLED too, and
  // so is every later one. May be null.
  std::function<bool()> stop_requested;
  // Told once, at the first sum of a tensor on a GPU, over what such are summed: "NCCL", or
  // "gloo ..." and why. May be null.
  std::function<void(absl::string_view)> on_transport;
};

// INVALID_ARGUMENT for an address that is none, UNAVAILABLE where the others did not come. From
// here on the process ignores SIGPIPE, unless it handles that itself.
absl::StatusOr<std::unique_ptr<Collective>> JoinC10d(const C10dOptions& options);

}  // namespace cadre
