// What acting costs on this machine: an actor's own loop, for a moment, with parameters
// that do not change and a sink that keeps its rollouts. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ports.h"
#include "common/process/shutdown.h"
#include "proto/config.pb.h"

namespace cadre {

struct RecordedActing {
  // Of one environment step, CPU time. Inference and building are what is left.
  double inference_seconds = 0;
  double environment_seconds = 0;
  double building_seconds = 0;
  double waiting_seconds = 0;  // That the environment waited for something.
  double seconds() const {
    return inference_seconds + environment_seconds + building_seconds + waiting_seconds;
  }
  double cpu_seconds() const { return seconds() - waiting_seconds; }

  std::vector<v1::Rollout> rollouts;  // The first so many, in their order. At least one.
};

// An actor of the resolved `config`, with `parameters` of its algorithm. CANCELLED on a
// shutdown.
absl::StatusOr<RecordedActing> RecordActing(const ExperimentConfig& config,
                                            ParametersPtr parameters, ShutdownSignal& shutdown);

}  // namespace cadre
