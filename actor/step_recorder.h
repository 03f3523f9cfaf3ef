// What a step of N environments leaves in a rollout besides observations: for each
// family of algorithms its own columns. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "actor/segment_builder.h"
#include "common/spaces.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

class StepRecorder {
 public:
  virtual ~StepRecorder() = default;

  // Where the policy puts the log probabilities [N] of the step's actions; empty where
  // they are not recorded.
  virtual absl::Span<float> log_probs() { return {}; }

  // The step's actions, [N] rows, and the version that chose them; 0: they are random.
  virtual void AddActions(absl::Span<const std::byte> actions, int64_t version,
                          SegmentBuilder& builder) = 0;

  // Its rewards [N].
  virtual void AddRewards(absl::Span<const float> rewards, SegmentBuilder& builder) = 0;

  // The episode of `environment` ended with the step.
  virtual void EndEpisode(int64_t environment) { static_cast<void>(environment); }
};

// The columns of the config's algorithm: OnPolicySpec or OffPolicySpec.
v1::ExperienceSpec RecordedSpec(const ExperimentConfig& config, const ObservationSpace& observation,
                                const ActionSpace& action);

// What fills them, for N environments that show so many columns.
std::unique_ptr<StepRecorder> MakeStepRecorder(const ExperimentConfig& config, int shown,
                                               int64_t environments);

}  // namespace cadre
