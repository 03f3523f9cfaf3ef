// absl::Status on one side of gRPC, grpc::Status on the other. The codes are the
// same numbers; on the client's side the message says which peer it came from.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpcpp/support/status.h"

namespace cadre {

grpc::Status ToGrpcStatus(const absl::Status& status);

// `peer` is "replay server at 127.0.0.1:5000"; it goes before the message.
absl::Status FromGrpcStatus(const grpc::Status& status, absl::string_view peer);

// Could the same call succeed later, without anybody changing it? True where the
// peer or the way to it broke (UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED, ABORTED,
// INTERNAL, UNKNOWN), false where it understood the call and refused it.
bool IsTransient(const absl::Status& status);

}  // namespace cadre
