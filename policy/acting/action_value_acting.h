// Acting by action values, for DQN and n-step Q-learning: the action of the largest value,
// or what exploration makes of the values. It has no probabilities: their logarithms, where
// asked for, are 0. Not thread-safe.
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
#include "policy/acting/exploration.h"
#include "policy/networks/acting_network.h"
#include "policy/networks/off_policy_network.h"

namespace cadre {

class ActionValueActing final : public ActingPolicy {
 public:
  ActionValueActing(ActionValueNetwork network, const NormalizationConfig& normalization,
                    std::unique_ptr<ActionValueExploration> exploration);
  ActionValueActing(const ActionValueActing&) = delete;
  ActionValueActing& operator=(const ActionValueActing&) = delete;

  absl::Status Load(const v1::Parameters& parameters) override;
  void Act(ShownBlocks shown, const ActMode& mode, Random& random, absl::Span<std::byte> actions,
           absl::Span<float> log_probs) override;

  void EndEpisode(int64_t row) override { values_.EndEpisode(row); }
  absl::Span<const float> states() const override { return values_.states(); }

  const ParameterLayout& layout() const override { return network_.layout(); }
  int64_t version() const override { return version_; }

 private:
  // The value of each action [B, n]; masked where it is not allowed.
  absl::Span<const float> Values(int64_t batch);

  const ActionValueNetwork network_;
  const std::unique_ptr<ActionValueExploration> exploration_;
  ActingInputs inputs_;
  ActingNetwork values_;
  std::vector<float> changed_;  // [B, n]: expectations, or values that are masked.
  int64_t version_ = 0;
};

}  // namespace cadre
