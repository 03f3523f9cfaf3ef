// How fast a run goes, and what saturates first: the arithmetic of `cadre plan`, of costs
// that were measured or given. docs/plan_model.md says why, with the same symbols. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cadre {

// What one environment step costs, in seconds. CPU time is that of one core.
struct PlanCosts {
  double acting = 0;            // a: of an actor, until it has made the step.
  double acting_cpu = 0;        // Less than a where the environment waits for something.
  double learning = 0;          // l: of a learner that has its experience; CPU time.
  double hand_over = 0;         // w: a learner waits, though experience is made in no time.
  double transfer = 0;          // x: CPU time for appending, sending and receiving, of workers.
  double replay_server = 0;     // r: CPU time. 0 where it is in the same process.
  double parameter_server = 0;  // p: likewise.
};

// What the config says.
struct PlanShape {
  bool lockstep = true;            // Actors and learners take turns; else they overlap.
  bool replay = false;             // Experience is kept in a table, not in a queue.
  int64_t actors = 1;              // n
  int64_t learners = 1;            // m
  int64_t groups = 1;              // G: learners that do not wait for each other, with actors.
  int64_t steps_per_rollout = 1;   // R: environments of an actor times segment length.
  double append_bytes = 0;         // b: for each step, from an actor to the replay server.
  double sample_bytes = 0;         // s: for each step, from there to the learners.
  double parameter_bytes = 0;      // P: of one version.
  double replay_memory_bytes = 0;  // M: of the table or queue.
  double server_memory_bytes = 0;  // What the config lets one replay server have of it.
};

struct PlanMachines {
  // Each worker and each server has a machine of its own; else they share one.
  bool cluster = false;
  double cores = 1;                     // C: of the one machine, or of each server's.
  double network_bytes_per_second = 0;  // X: of each machine, each way. 0: not counted.
};

// Something that a run needs, and how fast it would go if all else were free.
struct PlanResource {
  std::string name;     // "actors"
  std::string amount;   // "4 actors on 2 cores"
  double capacity = 0;  // Environment steps a second.
  double use = 0;       // In [0, 1], at the predicted rate.
};

struct Plan {
  double steps_per_second = 0;
  std::vector<PlanResource> resources;  // In the order of a step's way.
  size_t first = 0;                     // Of `resources`: saturates first.
  // To keep the learners busy, or their network.
  double wanted_rate = 0;  // Environment steps a second at which they are.
  int64_t actors = 0;
  int64_t shards = 0;    // Replay servers.
  int64_t replicas = 0;  // Of the parameter server, besides itself.
};

// In lockstep the learners cannot be busy all the time: so much of it is called busy.
inline constexpr double kBusyInLockstep = 0.9;

// INVALID_ARGUMENT, saying which, where a cost is negative or not finite, a count below 1,
// or nothing costs anything.
absl::StatusOr<Plan> MakePlan(const PlanCosts& costs, const PlanShape& shape,
                              const PlanMachines& machines);

// One line: what is first, and what to do about it.
std::string PlanVerdict(const Plan& plan, const PlanCosts& costs, const PlanShape& shape,
                        const PlanMachines& machines);

}  // namespace cadre
