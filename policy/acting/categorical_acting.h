// Acting by logits, for SAC with discrete actions: sampled, or the most probable.
// Not thread-safe.
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
#include "policy/networks/off_policy_network.h"

namespace cadre {

class CategoricalActing final : public ActingPolicy {
 public:
  CategoricalActing(DiscretePolicyNetwork network, const NormalizationConfig& normalization);
  CategoricalActing(const CategoricalActing&) = delete;
  CategoricalActing& operator=(const CategoricalActing&) = delete;

  absl::Status Load(const v1::Parameters& parameters) override;
  void Act(ShownBlocks shown, const ActMode& mode, Random& random, absl::Span<std::byte> actions,
           absl::Span<float> log_probs) override;

  const ParameterLayout& layout() const override { return network_.layout(); }
  int64_t version() const override { return version_; }

 private:
  const DiscretePolicyNetwork network_;
  ActingInputs inputs_;
  ActingNetwork policy_;
  std::vector<float> row_;  // [n]
  int64_t version_ = 0;
};

}  // namespace cadre
