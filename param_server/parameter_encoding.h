// A version as it goes over the wire. The weights are not copied: the bytes that
// gRPC sends are those of the shared version, which lives until they are sent. So a
// thousand watchers cost a thousand short headers.
#pragma once

#include "common/ports.h"
#include "grpcpp/support/byte_buffer.h"
#include "param_server/model_updater.h"
#include "proto/parameters.pb.h"

namespace cadre {

// A WatchResponse, and byte for byte also a FetchResponse. `parameters` may be null.
grpc::ByteBuffer EncodeResponse(const ParametersPtr& parameters, v1::RunState run_state);

// A PushGradientResponse, in the same way.
grpc::ByteBuffer EncodePushResponse(const ModelUpdater::Pushed& pushed, v1::RunState run_state);

}  // namespace cadre
