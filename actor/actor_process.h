// An actor as a process of its own: the act loop bound to servers over gRPC.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/process/shutdown.h"

namespace cadre {

struct ActorProcessOptions {
  std::string config;                  // Path of the experiment.
  std::vector<std::string> overrides;  // "path=value"
  int32_t index = 0;
  std::string name;      // Instead of an index, which is made from it; see actor_index.h.
  int32_t learner = -1;  // With a name: the learner it works for; below 0: any.
  std::string run_id;
  std::string replay_address;                  // host:port; of several servers, separated by commas
  std::string parameter_address;               // host:port; of several, separated by commas
  std::string parameter_encoding = "float32";  // Or "bf16": half the bytes.
  std::string metrics_address;                 // Empty: no metrics.
  double step_seconds = 0;                     // A step of its environments takes at least.
  double connect_seconds = 60;                 // To reach the servers at first.
  // Once the run is FINISHED, waits for shutdown: for supervisors that start again whatever ends.
  bool stay = false;
};

// Acts until the run is FINISHED or shutdown is requested (both OK: what the servers
// took is theirs, the rest of a rollout is dropped), or something fails for good.
absl::Status RunActorProcess(ActorProcessOptions options, ShutdownSignal& shutdown);

}  // namespace cadre
