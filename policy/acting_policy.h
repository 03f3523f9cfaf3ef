// A policy as an actor or an evaluation runs it: parameters in, actions out, on the
// CPU kernels, without LibTorch. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "policy/fused_mlp.h"
#include "policy/network.h"
#include "policy/normalization.h"

namespace cadre {

class ActingPolicy {
 public:
  ActingPolicy(ActorCriticNetwork network, const NormalizationConfig& normalization);
  ActingPolicy(const ActingPolicy&) = delete;
  ActingPolicy& operator=(const ActingPolicy&) = delete;

  // Takes a published version. FAILED_PRECONDITION where its layout differs from
  // the network's.
  absl::Status Load(const v1::Parameters& parameters);

  // Chooses an action for each of B observations [B, O], raw: sampled, or the most
  // probable where `greedy`. `actions` [B] int32 or [B, A] float32 as bytes;
  // continuous ones are not clipped to the bounds. `log_probs` [B], of the
  // actions chosen.
  void Act(absl::Span<const float> observations, bool greedy, Random& random,
           absl::Span<std::byte> actions, absl::Span<float> log_probs);

  int64_t version() const { return version_; }  // 0 before the first Load.
  const ActorCriticNetwork& network() const { return network_; }

 private:
  const ActorCriticNetwork network_;
  const NormalizationConfig normalization_;
  ObservationTransform transform_;
  FusedMlp trunk_, policy_;
  std::vector<float> log_std_;     // [A]
  std::vector<float> normalized_;  // [B, O]
  std::vector<float> scratch_;     // [D]
  int64_t version_ = 0;
};

}  // namespace cadre
