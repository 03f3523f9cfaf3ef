// Where the experience of an embedded run is: a Queue or a Table in this process, by what
// its algorithm learns from, and the ports that lead to it.
#pragma once

#include <cstdint>
#include <memory>

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

  // The learner's. Valid as long as this.
  virtual ExperiencePorts ports() = 0;

  // Ends everything that waits.
  virtual void Close() = 0;
};

// `steps_before`: of the run, that an empty table knows nothing of.
absl::StatusOr<std::unique_ptr<EmbeddedExperience>> MakeEmbeddedExperience(
    const ExperimentConfig& config, const v1::ExperienceSpec& spec, int64_t steps_before);

}  // namespace cadre
