// absl::Status on one side of gRPC, grpc::Status on the other. The codes are the
// same numbers; on the client's side the message says which peer it came from.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpcpp/support/status.h"

namespace cadre {

grpc::Status ToGrpcStatus(const absl::Status& status);

// The status of a call that is refused only because there is no room for it now: `why`, which
// is an error, with a google.rpc.RetryInfo in its details. On the client's side it is transient.
grpc::Status RefusedForNow(const absl::Status& why);

// `error` of this process that may pass by itself, such as that there is no thread for a stream
// now: transient.
absl::Status PassingError(absl::Status error);

// `peer` is "replay server at 127.0.0.1:5000"; it goes before the message.
absl::Status FromGrpcStatus(const grpc::Status& status, absl::string_view peer);

// Could the same call succeed later, without anybody changing it? True where the
// peer or the way to it broke (UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED, ABORTED,
// INTERNAL, UNKNOWN), or refused it for now; false where it understood the call and refused it.
bool IsTransient(const absl::Status& status);

}  // namespace cadre
