// Messages out of the raw bytes of gRPC, and into them: for streams whose messages are
// grpc::ByteBuffer, as some of them are not parsed by protobuf.
#pragma once

#include "absl/status/status.h"
#include "google/protobuf/message_lite.h"
#include "grpcpp/support/byte_buffer.h"

namespace cadre {

// INVALID_ARGUMENT where the bytes are not such a message.
absl::Status ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message);

grpc::ByteBuffer SerializeMessage(const google::protobuf::MessageLite& message);

}  // namespace cadre
