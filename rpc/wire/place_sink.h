// The sink of one table or queue, as who appends to one of several needs it: it can be left in
// the middle of a wait. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/ports.h"

namespace cadre {

class PlaceSink : public ExperienceSink {
 public:
  struct Counts {
    int64_t appended = 0;
    int64_t unsettled = 0;
    int64_t resent = 0;   // After breaks.
    int64_t refused = 0;  // By the server.
    int64_t connections = 0;
    double unsettled_seconds = 0;  // Summed over rollouts.
  };

  // Blocks until the server has accepted this writer, or until `interrupted` is true; whoever
  // sets it calls Wake() then. The error with which the sink has ended, if it has.
  virtual absl::Status WaitConnected(const std::atomic<bool>& interrupted) = 0;
  // Whether Append would not block.
  virtual bool HasRoom(int64_t bytes) const = 0;
  // Blocks until then, in the same way.
  virtual void WaitForRoom(int64_t bytes, const std::atomic<bool>& interrupted) = 0;
  virtual void Wake() = 0;

  // Blocks until everything appended is settled. DEADLINE_EXCEEDED: not in time.
  // INVALID_ARGUMENT: the server refused a rollout since the last Flush, and why.
  virtual absl::Status Flush(absl::Duration timeout) = 0;

  virtual Counts counts() const = 0;
  // OK until the sink has ended; then why.
  virtual absl::Status end() const = 0;
};

}  // namespace cadre
