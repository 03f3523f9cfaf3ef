// How to go on with a run whose policy has diverged. Its newest checkpoints may have that policy,
// so that resuming it as it is would end in the same way.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cadre {

// `status`; where it says that a policy of the run in `run_folder` has diverged
// (policy/acting/acted.h), with the command that resumes the run from the newest checkpoint before
// it.
absl::Status WithWayBack(const absl::Status& status, absl::string_view run_folder);

}  // namespace cadre
