// Ends episodes that would be too long, of environments that do not count steps themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "envs/observation_blocks.h"
#include "envs/wrappers/wrapper.h"

namespace cadre {

class TimeLimit final : public EnvironmentWrapper {
 public:
  // Truncates after `steps`, at least 1, unless the environment ends an episode before.
  TimeLimit(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec, int64_t steps);

  static EnvironmentSpec Spec(EnvironmentSpec inner, int64_t steps);

  absl::Status Reset(uint64_t seed) override;
  absl::Status Restart(absl::Span<const uint8_t> restarted) override;

  ShownBlocks final_observations() const override { return final_observations_.blocks(); }
  absl::Span<const uint8_t> truncated() const override { return truncated_; }

 private:
  absl::Status Advance(absl::Span<const std::byte> actions,
                       absl::Span<const uint8_t> stepped) override;

  const int64_t limit_;
  std::vector<int64_t> steps_;                 // [N] of the running episode
  std::vector<uint8_t> truncated_, too_long_;  // [N]
  ObservationBlocks final_observations_;
};

}  // namespace cadre
