// CheckpointManifest as text: text format that people can read, whose last line
// is a comment with the checksum of all lines above it. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/config.pb.h"

namespace cadre {

std::string ManifestText(const CheckpointManifest& manifest);

// DATA_LOSS, without the name of the file, unless it is unchanged and of this schema.
absl::StatusOr<CheckpointManifest> ParseManifest(absl::string_view text);

}  // namespace cadre
