// `cadre plan`: how fast an experiment runs, and what saturates first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/process/shutdown.h"

namespace cadre {

struct PlanOptions {
  std::string config;
  std::vector<std::string> overrides;
  std::optional<int64_t> actors;  // Instead of the config's.
  std::string mode = "embedded";  // or "processes"
  bool cluster = false;           // Each process on a machine of its own.
  std::optional<double> cores;    // Of the machine, or of each server's. Else this one's.
  std::optional<double> network_gbps;
  bool json = false;
  // Instead of what is measured here, for other machines, environments and networks.
  std::optional<double> env_seconds;        // Of one step of one environment.
  std::optional<double> inference_seconds;  // Likewise.
  std::optional<double> update_seconds;     // Of an update; of a table, of a gradient step.
  std::optional<double> observation_bytes;
  std::optional<double> parameters;
};

// Prints the prediction. CANCELLED by `shutdown`.
absl::Status MakeAndPrintPlan(const PlanOptions& options, ShutdownSignal& shutdown);

}  // namespace cadre
