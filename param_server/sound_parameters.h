// What can be said of a version by itself, whoever it comes from. Pure.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "proto/parameters.pb.h"

namespace cadre {

// "model 'policy' version 7", for messages.
std::string VersionName(const v1::Parameters& parameters);

// INVALID_ARGUMENT: no model name, a version below 1, values that are none, not whole
// float32, or not finite; statistics that are not finite.
absl::Status CheckSound(const v1::Parameters& parameters);

}  // namespace cadre
