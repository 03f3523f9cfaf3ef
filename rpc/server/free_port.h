// Ports for servers that are about to start on this machine.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

namespace cadre {

// `count` different TCP ports that nobody listens on, on 127.0.0.1: where there are such, of
// those that the kernel hands out to nobody, as a port of its own choice may be the next
// client's. So they stay free, unless somebody else wants just these.
absl::StatusOr<std::vector<int>> FreeLoopbackPorts(int count);

}  // namespace cadre
