// Where the experience of an embedded run is: Queues or a Table in this process, by what
// its algorithm learns from, and the ports that lead to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ports.h"
#include "learner/batch_learner.h"
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

  // After Close, for a run that stops before its end: what it will want when it goes on.
  virtual absl::Status Save() { return absl::OkStatus(); }
};

// `steps`: of the run so far, of which an empty table knows nothing. A table begins as the one
// that was saved in `folder`, if there is one of the same config.
absl::StatusOr<std::unique_ptr<EmbeddedExperience>> MakeEmbeddedExperience(
    const ExperimentConfig& config, const v1::ExperienceSpec& spec, int64_t steps,
    const std::string& folder);

}  // namespace cadre
