// Acting on-policy: actions sampled from the distribution that the learner
// differentiates, with their log probabilities. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "policy/acting/acting_inputs.h"
#include "policy/acting/acting_policy.h"
#include "policy/networks/acting_network.h"
#include "policy/networks/actor_critic_network.h"
#include "policy/normalization.h"

namespace cadre {

class OnPolicyActing final : public ActingPolicy {
 public:
  OnPolicyActing(ActorCriticNetwork network, const NormalizationConfig& normalization);
  OnPolicyActing(const OnPolicyActing&) = delete;
  OnPolicyActing& operator=(const OnPolicyActing&) = delete;

  // DATA_LOSS, too, where `parameters` lack the statistics that the config normalises
  // observations with.
  absl::Status Load(const v1::Parameters& parameters) override;

  // Sampled, or the most probable where greedy, each choice by itself; continuous actions
  // are not clipped to the bounds.
  void Act(ShownBlocks shown, const ActMode& mode, Random& random, absl::Span<std::byte> actions,
           absl::Span<float> log_probs) override;

  void EndEpisode(int64_t row) override { policy_.EndEpisode(row); }
  absl::Span<const float> states() const override { return policy_.states(); }

  const ParameterLayout& layout() const override { return network_.layout(); }
  int64_t version() const override { return version_; }

 private:
  // Of row `row` with these logits [D]; returns the logarithm of its probability.
  float Choose(int64_t row, absl::Span<const float> logits, bool greedy, Random& random,
               std::byte* action);

  // Of continuous actions, from a row of the head: means [A], and sets log_std_.
  absl::Span<const float> Gaussian(absl::Span<const float> row);

  const ActorCriticNetwork network_;
  ActingInputs inputs_;
  ActingNetwork policy_;
  std::vector<float> log_std_;  // [A], of the current row if it depends on the state.
  std::vector<float> scratch_;  // [D]
  int64_t version_ = 0;
};

}  // namespace cadre
