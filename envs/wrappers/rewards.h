// Wrappers that change rewards.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "envs/wrappers/wrapper.h"

namespace cadre {

// Rewards times `scale`, kept in [-clip, clip] (0: not).
class ChangedRewards final : public EnvironmentWrapper {
 public:
  ChangedRewards(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec, double scale,
                 double clip);

  static EnvironmentSpec Spec(EnvironmentSpec inner);

  absl::Status Reset(uint64_t seed) override;
  absl::Span<const float> rewards() const override { return rewards_; }

 private:
  absl::Status Advance(absl::Span<const std::byte> actions,
                       absl::Span<const uint8_t> stepped) override;

  const double scale_, clip_;
  std::vector<float> rewards_;  // [N]
};

}  // namespace cadre
