// Where a run stands, as one actor can tell: the steps that the learner had when it
// published the parameters in use, and of every actor as many since as this one made.
// Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/config/replay_config.h"
#include "proto/config.pb.h"

namespace cadre {

class RunProgress {
 public:
  explicit RunProgress(const ExperimentConfig& config)
      : actors_(config.actors().count()),
        all_steps_(std::max<int64_t>(1, config.stop().env_steps())),
        warmup_steps_(UsesReplay(config) ? config.replay().warmup_steps() : 0) {}

  // Parameters that were published after `env_steps` steps of the run are now in use.
  void OnParameters(int64_t env_steps) {
    published_steps_ = env_steps;
    own_steps_ = 0;
  }
  // This actor made so many steps.
  void OnSteps(int64_t steps) { own_steps_ += steps; }

  int64_t steps() const { return published_steps_ + actors_ * own_steps_; }
  // Of the run, in [0, 1].
  double share() const {
    return std::min(1.0, static_cast<double>(steps()) / static_cast<double>(all_steps_));
  }
  // Off-policy runs begin with random actions.
  bool warming_up() const { return steps() < warmup_steps_; }

 private:
  const int64_t actors_, all_steps_, warmup_steps_;
  int64_t published_steps_ = 0;
  int64_t own_steps_ = 0;  // Since the parameters in use were loaded.
};

}  // namespace cadre
