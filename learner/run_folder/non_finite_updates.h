// Updates of a run that made numbers which are not finite. Each ends its learner, so that
// only the next one, which goes on from the last checkpoint, can still tell of it: they are
// written down in the run's folder, one row for each,
//
//   non_finite_updates.csv    unix_seconds,env_steps
//
// Not thread-safe: the training thread writes.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cadre {

// `env_steps`: of the run, before that update.
absl::Status RecordNonFiniteUpdate(const std::string& run_folder, int64_t env_steps,
                                   absl::Time when);

struct NonFiniteUpdates {
  int64_t count = 0;
  absl::Time last = absl::UnixEpoch();  // Meaningless where there are none.
};

// None where there is no such file. DATA_LOSS where it is not what was written.
absl::StatusOr<NonFiniteUpdates> ReadNonFiniteUpdates(const std::string& run_folder);

}  // namespace cadre
