// Logging is spdlog's default logger, set up once at the start of main:
//   12:34:56.789 I [replay] message        (on stderr)
// Then `#include "spdlog/spdlog.h"` and spdlog::info(...) wherever a shell talks;
// pure code never does.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cadre {

// `process` stands in the brackets. `level` is a flag's value: trace, debug, info,
// warning, error or off; empty: the variable CADRE_LOG_LEVEL, else info.
// INVALID_ARGUMENT for another level. Call before other threads start.
absl::Status SetUpLogging(absl::string_view process, absl::string_view level = "");

}  // namespace cadre
