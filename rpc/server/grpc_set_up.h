// What gRPC is told once for the process, most of which it hears only before it starts.
#pragma once

#include "absl/status/status.h"

namespace cadre {

// Threads that gRPC starts when it is first used, at most: some ten, and one for each core.
int GrpcThreads();

// Call it before anything of gRPC is made, credentials included: MakeChannel and
// RpcServer::Create do. Any thread, more than once.
//
// gRPC writes lines of its own on stderr. Its errors become warnings of ours, one a minute from
// each place in its code, with a count of those left out; its other lines are left out, as what
// matters in them comes back as a status. Not if the environment has GRPC_VERBOSITY: then
// somebody wants gRPC's own log.
//
// While a channel is broken, calls fail without polling, and gRPC notices that a new connection
// stands only when its backup poller looks: every five seconds, unless told otherwise before
// gRPC starts (https://github.com/grpc/grpc/issues/28866). Here every 200 ms; where the
// environment has GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS, as often as that says.
//
// Memory that messages need is kept; see freed_memory.h.
//
// gRPC ends the process, or hangs, if it cannot start its threads. So this tries, until it has
// succeeded once, whether the process may have as many: RESOURCE_EXHAUSTED if not, and nothing of
// gRPC must be made then.
absl::Status SetUpGrpc();

}  // namespace cadre
