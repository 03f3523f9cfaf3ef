// A message as gRPC received it, for decoders that refer to it instead of copying.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/experience/rollout_view.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/slice.h"
#include "rpc/wire/wire_reader.h"

namespace cadre {

// Stays where it is, as short slices carry their bytes within themselves.
class ReceivedMessage {
 public:
  explicit ReceivedMessage(const grpc::ByteBuffer& message);
  ReceivedMessage(const ReceivedMessage&) = delete;
  ReceivedMessage& operator=(const ReceivedMessage&) = delete;

  WireReader Read() const { return WireReader(pieces_); }
  // The field as one piece, which lives as long as the message.
  absl::string_view Text(WireReader& reader);

 private:
  std::vector<grpc::Slice> slices_;
  PiecewiseBytes pieces_;
  std::vector<std::unique_ptr<std::string>> copies_;  // Of what came in several.
};

}  // namespace cadre
