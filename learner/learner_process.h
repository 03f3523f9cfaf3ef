// A learner as a process of its own: the training loop bound to servers over gRPC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/process/shutdown.h"

namespace cadre {

struct LearnerProcessOptions {
  std::string config;                  // Path of the experiment; empty: that of `resume`.
  std::vector<std::string> overrides;  // "path=value"
  std::optional<uint64_t> seed;
  std::string out;     // Run folder of a new run; empty: one under runs/.
  std::string resume;  // Run folder to go on with; empty: a new run.
  int32_t rank = 0;    // Of the config's learners. All but 0 only read the run folder.
  // Where learners that move one model together meet, host:port; the first serves it.
  std::string rendezvous;
  std::string run_id;
  std::string replay_address;     // host:port
  std::string parameter_address;  // host:port
  std::string metrics_address;    // Empty: no metrics.
  std::string device = "cpu";     // Or "cuda:N", or "cuda": the one of this rank.
  bool cuda_graphs = true;        // Where the device is CUDA's.
  double connect_seconds = 60;    // To reach the servers at first.
  // Silence after which learners that move one model together give one up; C10dOptions.
  double collective_seconds = 600;
  // Somebody starts it again, with the same options, whenever it does not end with OK: goes on
  // with the run in `out` where there is one, and a shutdown saves, leaves the run open and
  // ends with ABORTED.
  bool supervised = false;
  // Writes each report to stdout as one line of JSON, for a supervisor.
  bool progress_lines = false;
};

// Trains until a stop condition of the config, or until shutdown is requested, which
// saves first. Either way the run is FINISHED then, unless it is supervised. Other learners than
// the first train until the run is FINISHED, or shutdown is requested.
absl::Status RunLearnerProcess(const LearnerProcessOptions& options, ShutdownSignal& shutdown);

}  // namespace cadre
