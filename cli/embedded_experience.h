// Where the experience of an embedded run is: Queues or a Table in this process, by what
// its algorithm learns from, and the ports that lead to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/replay_tables.h"
#include "common/ports.h"
#include "learner/loop/batch_learner.h"
#include "proto/config.pb.h"

namespace cadre {

class EmbeddedExperience {
 public:
  virtual ~EmbeddedExperience() = default;

  // Of actor `index`. To be destroyed before this.
  virtual absl::StatusOr<std::unique_ptr<ExperienceSink>> MakeSink(int32_t index) = 0;

  // Of learner `learner`. Valid as long as this.
  virtual ExperiencePorts ports(int32_t learner) = 0;

  // Ends everything that waits.
  virtual void Close() = 0;

  // After Close, together with the run's last checkpoint: what it will want when it is resumed.
  // Its name, relative to the run's folder; empty: there is nothing.
  virtual absl::StatusOr<std::string> Save() { return std::string(); }
};

// A table begins as the one that was saved together with the checkpoint that the run continues
// from; empty, which is logged, if there is none, or it is of another config.
absl::StatusOr<std::unique_ptr<EmbeddedExperience>> MakeEmbeddedExperience(
    const ExperimentConfig& config, const v1::ExperienceSpec& spec, const std::string& run_folder,
    const ResumedCheckpoint& from);

}  // namespace cadre
