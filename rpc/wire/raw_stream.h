// Streams of a service whose messages one side or the other takes as gRPC's raw bytes,
// which generated stubs do not offer synchronously: the caller encodes and decodes
// them itself (replay_codec.h).
#pragma once

#include <memory>

#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/impl/codegen/rpc_method.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/sync_stream.h"

namespace cadre {

template <typename Request, typename Response>
using ClientStream = std::unique_ptr<grpc::ClientReaderWriter<Request, Response>>;

// A bidirectional stream of `method`, "/cadre.v1.ExperienceService/Append". Either type
// may be grpc::ByteBuffer. What the generated stub does; it keeps the method's name, so
// that must be a literal.
template <typename Request, typename Response>
ClientStream<Request, Response> OpenStream(grpc::Channel& channel, const char* method,
                                           grpc::ClientContext* context) {
  const grpc::internal::RpcMethod rpc(method, grpc::internal::RpcMethod::BIDI_STREAMING);
  return ClientStream<Request, Response>(
      grpc::internal::ClientReaderWriterFactory<Request, Response>::Create(&channel, rpc, context));
}

}  // namespace cadre
