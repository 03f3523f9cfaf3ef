// What an environment shows and takes, as JSON: how Cadre and Python describe environments to
// each other. python/cadre/spaces.py is the other end.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "envs/environment.h"

namespace cadre {

std::string SpecJson(const EnvironmentSpec& spec);

// INVALID_ARGUMENT where `json` is not such an object. The id is the caller's to set.
absl::StatusOr<EnvironmentSpec> SpecOfJson(absl::string_view json);

}  // namespace cadre
