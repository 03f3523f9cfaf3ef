// Channels to Cadre's servers, all set up alike: a dead peer is noticed within
// seconds, messages may have any size, reconnects come quickly, no proxy stands
// between. Any thread may call.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"

namespace cadre {

struct ChannelOptions {
  // Without traffic for so long, the peer is asked whether it lives; it has the
  // timeout to answer. Not below ServerOptions::smallest_ping_interval.
  absl::Duration keepalive_interval = absl::Seconds(10);
  absl::Duration keepalive_timeout = absl::Seconds(5);
  // Of one attempt to connect or to look up a name, and between attempts.
  absl::Duration connect_timeout = absl::Seconds(5);
  absl::Duration initial_reconnect_backoff = absl::Milliseconds(100);
  absl::Duration maximum_reconnect_backoff = absl::Seconds(2);
};

// Connects when the first call is made, not here. INVALID_ARGUMENT unless `address` is host:port
// or unix:/path; errors of SetUpGrpc (grpc_set_up.h) and ChannelCredentialsFromEnvironment
// (tls.h). Each channel has a connection of its own.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelOptions& options = {});

}  // namespace cadre
