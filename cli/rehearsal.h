// What learning and handing over cost on this machine: the real training loop, for a
// moment, behind real queues, tables, stores or servers, with actors that do not act but
// send what was recorded before. It learns at a rate of nearly nothing, so that recorded
// experience stays what its policy would do.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/process/shutdown.h"
#include "envs/environment.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

// Seconds for each environment step; see PlanCosts.
struct RehearsedCosts {
  double learning = 0;
  double hand_over = 0;
  double transfer = 0;
  double replay_server = 0;
  double parameter_server = 0;

  int64_t updates = 0;  // That were measured.
};

// The experiment as it is rehearsed: one learner with its actors, at most so many that their
// threads disturb nobody; no evaluations, checkpoints or schedules; a short warm-up and a
// table that fits. Of a resolved config. Pure.
ExperimentConfig RehearsalConfig(const ExperimentConfig& config);

// Rehearses `config`, a RehearsalConfig, with `rollouts` of an actor of it: in this process,
// or with `processes` through servers of their own. CANCELLED by `shutdown`;
// DEADLINE_EXCEEDED where the learner does not come to its third update in two minutes.
absl::StatusOr<RehearsedCosts> Rehearse(const ExperimentConfig& config,
                                        const EnvironmentSpec& environment,
                                        const std::vector<v1::Rollout>& rollouts, bool processes,
                                        ShutdownSignal& shutdown);

}  // namespace cadre
