// The episodes that N environments are in, and those that ended since they were last
// taken: for statistics. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "proto/experience.pb.h"

namespace cadre {

class RunningEpisodes {
 public:
  explicit RunningEpisodes(int64_t environments)
      : total_rewards_(environments), lengths_(environments) {}

  // Steps of each environment's episode so far, [N].
  absl::Span<const int64_t> lengths() const { return lengths_; }

  // A step of each environment; `rewards` [N].
  void AddRewards(absl::Span<const float> rewards);

  // The episode of `environment` ended with that step.
  void End(int64_t environment);

  // The episode of `environment` is lost, and with it the step that was just added.
  void Forget(int64_t environment);

  // Moves the episodes that ended, in their order, to `rollout`.
  void MoveFinishedTo(v1::Rollout& rollout);

 private:
  std::vector<double> total_rewards_;  // [N]
  std::vector<int64_t> lengths_;       // [N]
  std::vector<v1::Episode> finished_;
};

}  // namespace cadre
