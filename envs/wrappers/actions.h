// Wrappers that change what is done: sticky and repeated actions, and rescaled ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/random.h"
#include "envs/observation_blocks.h"
#include "envs/wrappers/wrapper.h"

namespace cadre {

// With probability `sticky` a step repeats the action of the one before instead of the agent's; an
// episode's first step never does (Machado et al. 2018, arXiv:1709.06009, section 5).
class StickyActions final : public EnvironmentWrapper {
 public:
  StickyActions(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec, double sticky);

  absl::Status Reset(uint64_t seed) override;
  absl::Status Restart(absl::Span<const uint8_t> restarted) override;

 private:
  absl::Status Advance(absl::Span<const std::byte> actions,
                       absl::Span<const uint8_t> stepped) override;

  const double sticky_;
  std::vector<Random> random_;      // [N]
  std::vector<std::byte> actions_;  // [N, ...] of the last step
  std::vector<uint8_t> started_;    // [N] The episode has had a step.
};

// Each action is done `times` times, or until the episode ends; rewards add up.
class RepeatedActions final : public EnvironmentWrapper {
 public:
  RepeatedActions(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec, int64_t times);

  static EnvironmentSpec Spec(EnvironmentSpec inner, int64_t times);

  absl::Status Reset(uint64_t seed) override;

  ShownBlocks final_observations() const override { return final_observations_.blocks(); }
  absl::Span<const float> rewards() const override { return rewards_; }
  absl::Span<const uint8_t> terminated() const override { return terminated_; }
  absl::Span<const uint8_t> truncated() const override { return truncated_; }
  absl::Span<const uint8_t> skipped() const override { return skipped_; }

 private:
  absl::Status Advance(absl::Span<const std::byte> actions,
                       absl::Span<const uint8_t> stepped) override;

  const int64_t times_;
  ObservationBlocks final_observations_;
  std::vector<uint8_t> running_;                           // [N]
  std::vector<float> rewards_;                             // [N]
  std::vector<uint8_t> terminated_, truncated_, skipped_;  // [N]
};

// The agent's actions are in [-1, 1], and are mapped onto the environment's bounds, linearly.
class RescaledActions final : public EnvironmentWrapper {
 public:
  RescaledActions(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec);

  static absl::StatusOr<EnvironmentSpec> Spec(EnvironmentSpec inner);

 private:
  absl::Status Advance(absl::Span<const std::byte> actions,
                       absl::Span<const uint8_t> stepped) override;

  std::vector<std::byte> rescaled_;  // [N, A] float32
};

}  // namespace cadre
