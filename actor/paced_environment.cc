#include "actor/paced_environment.h"

#include "common/process/monotonic_time.h"

namespace cadre {

absl::Status PacedEnvironment::Step(absl::Span<const std::byte> actions) {
  const MonotonicTime end = MonotonicTime::Now() + absl::FromChrono(step_);
  const absl::Status status = environment_->Step(actions);
  if (stopped_.WaitFor(end - MonotonicTime::Now()))
    return absl::CancelledError("the environment was stopped");
  return status;
}

}  // namespace cadre
