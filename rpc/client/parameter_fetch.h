// One conditional get from a parameter server, for whoever needs no stream.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "rpc/client/call_group.h"
#include "rpc/client/parameter_client.h"

namespace cadre {

// The newest version of options.model that the server has; 0 where it has none.
// Retries a server that cannot be reached for `patience`, then UNAVAILABLE; CANCELLED
// once `calls` is closed.
absl::StatusOr<int64_t> FetchNewestVersion(const ParameterClientOptions& options,
                                           absl::Duration patience, CallGroup& calls);

}  // namespace cadre
