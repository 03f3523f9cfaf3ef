// N copies of an environment stepped as one batch, in one contiguous block per
// column that it shows. Episodes restart by themselves; the true final observation is kept
// beside the first one of the new episode. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "envs/environment.h"

namespace cadre {

class VectorEnvironment {
 public:
  virtual ~VectorEnvironment() = default;

  virtual const EnvironmentSpec& spec() const = 0;
  virtual int64_t count() const = 0;  // N

  // Starts N episodes, environment i from the stream (seed, i).
  virtual absl::Status Reset(uint64_t seed) = 0;

  // Takes `actions` [N, K] int32 or [N, A] float32. An episode that ends is reset in
  // the same call: its last observation is in final_observations(). Steps nothing,
  // and says why, where there was no Reset (FAILED_PRECONDITION) or an action is
  // missing, not of the space or not finite (INVALID_ARGUMENT).
  virtual absl::Status Step(absl::Span<const std::byte> actions) = 0;

  // The same for those environments alone whose `stepped` [N] is not 0. The others stay as they
  // are: their observations too, with a reward of 0 and neither flag. UNIMPLEMENTED where they
  // can only be stepped together.
  virtual absl::Status StepSome(absl::Span<const std::byte> actions,
                                absl::Span<const uint8_t> stepped);

  // Gives up the running episode of each environment whose `restarted` [N] is not 0 and starts
  // its next one, whose first observation replaces the last one. UNIMPLEMENTED where only ends of
  // their own start new episodes.
  virtual absl::Status Restart(absl::Span<const uint8_t> restarted);

  // See Environment::SetState. `index` in [0, N).
  virtual absl::Status SetState(int64_t index, absl::Span<const double> state);

  // Ends a Step's wait, and each later one, with CANCELLED. From any thread.
  virtual void Stop() {}

  // What broke and was replaced since the last call, a line each. Empty for most environments.
  virtual std::vector<std::string> TakeFaults() { return {}; }

  // Of the last Reset or Step. Valid until the next one.
  virtual ShownBlocks observations() const = 0;              // Each [N, shape...].
  virtual ShownBlocks final_observations() const = 0;        // Set for rows whose episode ended.
  virtual absl::Span<const float> rewards() const = 0;       // [N]
  virtual absl::Span<const uint8_t> terminated() const = 0;  // [N] 0 or 1
  virtual absl::Span<const uint8_t> truncated() const = 0;   // [N] 0 or 1, never both

  // [N] 0 or 1, or empty: all 0. Where it is 1 the action was not carried out: there is no
  // transition, and neither reward nor flags. The row shows the first observation of an
  // episode; one that was running is lost, with all that follows its last step.
  virtual absl::Span<const uint8_t> skipped() const { return {}; }
};

}  // namespace cadre
