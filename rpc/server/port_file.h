// How a process tells another which port it was given: a file with the number and
// nothing else, there only once the server listens.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cadre {

// Atomic. OK and nothing done where `path` is empty: the flag was not given.
absl::Status WritePortFile(const std::string& path, int port);

// NOT_FOUND where the file is not there yet, INVALID_ARGUMENT where it holds no port.
absl::StatusOr<int> ReadPortFile(const std::string& path);

}  // namespace cadre
