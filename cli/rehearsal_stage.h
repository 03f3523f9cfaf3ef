// What stands between workers in a rehearsal (rehearsal.h): the same queues, tables,
// parameter stores and clients as in a run of one learner, in this process or in two real
// servers on loopback.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ports.h"
#include "common/process/shutdown.h"
#include "envs/environment.h"
#include "learner/loop/batch_learner.h"
#include "proto/config.pb.h"

namespace cadre {

class RehearsalStage {
 public:
  virtual ~RehearsalStage() = default;

  // Of actor `index`. To be destroyed before this, as is what it follows.
  virtual absl::StatusOr<std::unique_ptr<ExperienceSink>> MakeSink(int32_t index) = 0;
  virtual absl::StatusOr<std::unique_ptr<ParameterSource>> MakeParameterSource() = 0;
  // The learner's. Valid as long as this.
  virtual ExperiencePorts ports() = 0;
  virtual ParameterSink* parameter_sink() = 0;

  // CPU seconds of the servers so far; 0 where they are in this process.
  virtual double replay_server_seconds() const { return 0; }
  virtual double parameter_server_seconds() const { return 0; }

  // Ends everything that waits.
  virtual void Close() = 0;
};

// `folder` is there, and for what the stage writes.
absl::StatusOr<std::unique_ptr<RehearsalStage>> MakeEmbeddedStage(
    const ExperimentConfig& config, const EnvironmentSpec& environment, const std::string& folder);
// UNAVAILABLE where the servers' binaries, which stand beside this one, do not come up.
// CANCELLED on a shutdown.
absl::StatusOr<std::unique_ptr<RehearsalStage>> MakeProcessesStage(
    const ExperimentConfig& config, const EnvironmentSpec& environment, const std::string& folder,
    ShutdownSignal& shutdown);

}  // namespace cadre
