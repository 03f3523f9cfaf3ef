// Ports for servers that are about to start on this machine.
#pragma once

#include <vector>

#include "absl/status/statusor.h"

namespace cadre {

// `count` different TCP ports that nobody listens on, on 127.0.0.1. The kernel gives
// out a port again only after many others, so they stay free for a while; no more
// is promised.
absl::StatusOr<std::vector<int>> FreeLoopbackPorts(int count);

}  // namespace cadre
