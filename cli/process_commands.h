// The command lines of a run's processes on this machine: which programs, at which addresses, and
// what each is told. Starts none of them. One thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/processes.h"
#include "cli/supervised_process.h"
#include "nlohmann/json.hpp"

namespace cadre {

class ProcessCommands {
 public:
  // Chooses the addresses, all on loopback. A run that is resumed keeps its id, by which a replay
  // server knows its tables. `options` must outlive it.
  static absl::StatusOr<ProcessCommands> Create(const ProcessesOptions& options);

  // Name, command and log of each; the rest is the caller's. The ports of their metrics follow
  // one another as these are called.
  SupervisedProcess::Options ReplayServer();
  SupervisedProcess::Options ParameterServer();
  SupervisedProcess::Options Learner(int rank);
  SupervisedProcess::Options Actor(int index);

  // Before any of them is started: the folders that they write to, and metrics_targets.json.
  absl::Status PrepareFolders() const;

  const std::string& run_id() const { return run_id_; }
  const std::string& replay_address() const { return replay_address_; }
  const std::string& parameter_address() const { return parameter_address_; }

 private:
  using Arguments = std::vector<std::string>;

  ProcessCommands(const ProcessesOptions& options, std::string binaries, std::string run_id)
      : options_(&options), binaries_(std::move(binaries)), run_id_(std::move(run_id)) {}

  // Of binary cadre_<program>: what all processes have in common.
  SupervisedProcess::Options Command(std::string name, absl::string_view program,
                                     const Arguments& arguments);
  // The next port for metrics, which goes into metrics_targets.json; nothing where there are none.
  Arguments MetricsArguments(absl::string_view program);
  Arguments WorkerArguments(const Arguments& more) const;

  const ProcessesOptions* options_;
  std::string binaries_;
  std::string run_id_;
  // Fixed, so that a server that is started again is found again.
  std::string replay_address_, parameter_address_, rendezvous_;
  nlohmann::json metrics_targets_ = nlohmann::json::array();
};

}  // namespace cadre
