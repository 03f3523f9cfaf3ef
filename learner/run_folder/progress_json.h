// Progress as one line of JSON, between a learner and its supervisor. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "learner/run_folder/progress.h"

namespace cadre {

// Numbers that are not finite are null.
std::string ProgressToJson(const Progress& progress);

// INVALID_ARGUMENT for what ProgressToJson cannot have written.
absl::StatusOr<Progress> ProgressFromJson(absl::string_view line);

}  // namespace cadre
