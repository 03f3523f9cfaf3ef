// How a process ends.
//
//   0    done; or stopped by SIGTERM after it saved
//   2    usage or config        INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS
//   3    peer not reachable     UNAVAILABLE, DEADLINE_EXCEEDED
//   4    mismatch with a peer   FAILED_PRECONDITION: other settings, or all that is sent is
//                               refused; starting again would not help
//   5    damaged data, or       DATA_LOSS
//        training that diverged: numbers that are no longer finite
//   6    input or output        PERMISSION_DENIED, RESOURCE_EXHAUSTED
//   7    stopped, to go on       ABORTED: saved, and to be started again
//   130  interrupted            CANCELLED
//   1    anything else
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cadre {

int ExitCode(const absl::Status& status);

// Prints "cadre_actor: error: <message>" on stderr, one line for each line of the
// message, unless `status` is OK. For the end of main.
int ReportAndExitCode(const absl::Status& status, absl::string_view program);

}  // namespace cadre
