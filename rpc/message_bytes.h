// Messages out of the raw bytes of gRPC: for services that take requests as
// grpc::ByteBuffer, so that they own what they parse.
#pragma once

#include "absl/status/status.h"
#include "google/protobuf/message_lite.h"
#include "grpcpp/support/byte_buffer.h"

namespace cadre {

// INVALID_ARGUMENT where the bytes are not such a message.
absl::Status ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message);

}  // namespace cadre
