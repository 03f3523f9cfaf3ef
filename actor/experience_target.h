// Where an actor's experience goes: which server, which queue or table there, in what
// columns, and how much of it may be on the way. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/config/run_topology.h"
#include "common/spaces.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

struct ExperienceTarget {
  std::vector<ExperiencePlace> places;  // Any of them will do.
  size_t first = 0;                     // The one to begin with.
  v1::ExperienceSpec spec;
  int64_t max_unsettled_rollouts = 0;
};

// That of actor `index` of a resolved config. `addresses`, separated by commas, are the
// servers that share the replay: the actors begin spread over them in turn. On-policy queues
// are on one server, and so is the table of a run in lockstep, whose rounds one table counts.
// Of learners that move one model together each has a queue; in lockstep an actor has one of
// them for good. INVALID_ARGUMENT if there are more addresses, or one is empty.
absl::StatusOr<ExperienceTarget> FindExperienceTarget(const ExperimentConfig& config,
                                                      const ObservationSpace& observation,
                                                      const ActionSpace& action,
                                                      absl::string_view addresses, int32_t index);

}  // namespace cadre
