// A whole run on this machine as real processes: replay server, parameter server,
// learner and actors, which talk gRPC over loopback. Those that die are restarted.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "cli/replay_tables.h"
#include "common/process/shutdown.h"
#include "learner/run_folder/progress.h"
#include "proto/config.pb.h"

namespace cadre {

struct ProcessesOptions {
  ExperimentConfig config;  // Resolved; written to the run's folder already.
  std::string run_folder;
  ResumedCheckpoint from;
  std::string device = "cpu";  // The learner's.
  bool cuda_graphs = true;
  // Of /metrics: the replay server's, after which come the parameter server, the learners and
  // the actors. <run folder>/metrics_targets.json lists them as Prometheus reads it
  // (file_sd_configs). 0: none.
  int metrics_port = 0;
  std::function<void(const Progress&)> on_progress;  // From one thread at a time.
  // Every few seconds, what holds the run back; empty where nothing does. From a thread of
  // its own.
  std::function<void(const std::string&)> on_verdict;
};

// Returns when the run is finished, failed for good, or was ended by a shutdown
// request, saved. On success the servers' account of the run's rollouts and gradients, for
// people, is in `account`, and in <run folder>/queue.json, table.json, gradients.json.
absl::Status TrainProcesses(const ProcessesOptions& options, ShutdownSignal& shutdown,
                            std::string& account);

}  // namespace cadre
