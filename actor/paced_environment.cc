#include "actor/paced_environment.h"

#include <thread>

namespace cadre {

absl::Status PacedEnvironment::Step(absl::Span<const std::byte> actions) {
  const auto end = std::chrono::steady_clock::now() + step_;
  const absl::Status status = environment_->Step(actions);
  std::this_thread::sleep_until(end);
  return status;
}

}  // namespace cadre
