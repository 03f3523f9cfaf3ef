// The subcommands of `cadre`. Each takes its options, prints, and returns a status
// that main turns into an exit code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/process/shutdown.h"

namespace cadre {

struct TrainOptions {
  std::string config;                  // Path; empty with `resume`.
  std::vector<std::string> overrides;  // "path=value"
  std::optional<uint64_t> seed;
  std::string out;                // Run folder; empty: one under runs/.
  std::string mode = "embedded";  // or "processes"
  std::string resume;             // Run folder to go on with; empty: a new run.
  std::string checkpoint;         // Of `resume`: as EvalOptions'; empty: the newest intact.
  int metrics_port = 0;           // The first, where there are several; 0: no metrics.
  std::string device = "cpu";     // Where to learn; or "cuda", "cuda:N".
  bool cuda_graphs = true;        // Where the device is CUDA's.
};
absl::Status Train(const TrainOptions& options, ShutdownSignal& shutdown);

struct EvalOptions {
  std::string run_folder;
  std::string checkpoint = "last";  // "last", "best" or a number of steps
  int64_t episodes = 100;
  uint64_t seed = 1;
  bool stochastic = false;
};
absl::Status Eval(const EvalOptions& options);

// Lists the environments.
absl::Status ListEnvironments();

struct EnvironmentCheckOptions {
  std::string environment;  // As `cadre envs check --help` says.
  int64_t steps = 1000;
};
// Prints each way in which the environment breaks the rules (envs/conformance.h), and returns
// FAILED_PRECONDITION with their number; else prints what was played.
absl::Status CheckOneEnvironment(const EnvironmentCheckOptions& options);

struct ServeEnvironmentsOptions {
  std::string environment;  // As of CheckOneEnvironment.
  int64_t count = 1;
  int control = -1;  // Descriptors that the process inherited: a stream socket, and a file to
  int memory = -1;   // share memory by.
};
// Until the other end of the socket is closed. See envs/python/environment_server.h.
absl::Status ServeLocalEnvironments(const ServeEnvironmentsOptions& options);

struct ConfigCheckOptions {
  std::string config;
  std::vector<std::string> overrides;
};
// Prints the resolved config.
absl::Status CheckConfig(const ConfigCheckOptions& options);

// Asks each address what it is doing and what it waits for, and prints that. Returns
// one line for each that does not say.
absl::Status ShowStatus(const std::vector<std::string>& addresses);

}  // namespace cadre
