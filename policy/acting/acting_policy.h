// A policy as an actor or an evaluation runs it: parameters in, actions out, on the
// CPU kernels, without LibTorch. One for each kind of algorithm. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "common/spaces.h"
#include "policy/acting/acting_place.h"
#include "policy/networks/layout.h"
#include "proto/config.pb.h"
#include "proto/parameters.pb.h"

namespace cadre {

// How actions are chosen.
struct ActMode {
  bool greedy = false;  // The best action; no exploration.
  double progress = 0;  // Share of the run that is over, for exploration schedules.
};

class ActingPolicy {
 public:
  virtual ~ActingPolicy() = default;

  // Takes a published version. FAILED_PRECONDITION where its layout differs from
  // the network's; the policy then stays as it was.
  virtual absl::Status Load(const v1::Parameters& parameters) = 0;

  // Chooses an action for each of B environments from what they show, raw. `actions` [B, K]
  // int32 or [B, A] float32 as bytes; what is masked is never chosen (CheckMask looks at
  // the masks). `log_probs` [B] of the actions chosen, or empty where nobody wants them;
  // on-policy ones alone have them. Only after a Load.
  virtual void Act(ShownBlocks shown, const ActMode& mode, Random& random,
                   absl::Span<std::byte> actions, absl::Span<float> log_probs) = 0;

  // The episode of environment `row` of the batch is over: what is carried from step to step,
  // noise or a memory, begins afresh.
  virtual void EndEpisode(int64_t row) { static_cast<void>(row); }

  // What the policy remembered of each environment before the last Act, [B, M], for learners to
  // begin with; empty without a memory.
  virtual absl::Span<const float> states() const { return {}; }

  virtual const ParameterLayout& layout() const = 0;
  virtual int64_t version() const = 0;  // 0 before the first Load.
};

// That of the config's algorithm. INVALID_ARGUMENT where the model does not fit.
absl::StatusOr<std::unique_ptr<ActingPolicy>> MakeActingPolicy(const ExperimentConfig& config,
                                                               const ObservationSpace& observation,
                                                               const ActionSpace& action,
                                                               const ActingPlace& place = {});

}  // namespace cadre
