// Acting with continuous actions inside their bounds: DDPG's and TD3's deterministic
// policy with noise, and SAC's squashed Gaussian. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "policy/acting/acting_inputs.h"
#include "policy/acting/acting_policy.h"
#include "policy/acting/action_range.h"
#include "policy/acting/exploration.h"
#include "policy/networks/acting_network.h"
#include "policy/networks/off_policy_network.h"

namespace cadre {

class ContinuousActing final : public ActingPolicy {
 public:
  // `range` is that of the network's actions. `noise` is added unless greedy; null:
  // none, as a Gaussian policy explores by itself.
  ContinuousActing(ContinuousPolicyNetwork network, const NormalizationConfig& normalization,
                   ActionRange range, std::unique_ptr<ActionNoise> noise);
  ContinuousActing(const ContinuousActing&) = delete;
  ContinuousActing& operator=(const ContinuousActing&) = delete;

  absl::Status Load(const v1::Parameters& parameters) override;
  void Act(ShownBlocks shown, const ActMode& mode, Random& random, absl::Span<std::byte> actions,
           absl::Span<float> log_probs) override;
  void EndEpisode(int64_t row) override;

  const ParameterLayout& layout() const override { return network_.layout(); }
  int64_t version() const override { return version_; }

 private:
  // What is squashed: means [B, A], or samples around them, into `units`.
  void SampleBeforeTanh(bool greedy, Random& random, absl::Span<float> units);

  const ContinuousPolicyNetwork network_;
  const ActionRange range_;
  const std::unique_ptr<ActionNoise> noise_;
  ActingInputs inputs_;
  ActingNetwork policy_;
  std::vector<float> log_std_;  // [A]
  int64_t version_ = 0;
};

}  // namespace cadre
