// gRPC writes lines of its own on stderr, several for one unreachable server. What
// matters in them also comes back as a status, so they become debug lines of ours.
#pragma once

namespace cadre {

// Once for the process; MakeChannel and RpcServer::Create call it. Nothing is done
// where the environment has GRPC_VERBOSITY: somebody wants gRPC's own log.
void RouteGrpcLog();

}  // namespace cadre
