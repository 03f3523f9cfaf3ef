// A listening gRPC server with health and reflection, all of Cadre's set up alike.
// It knows nothing of what it serves. Thread-safe.
//
// A process that comes near its limit of file descriptors refuses connections with
// RESOURCE_EXHAUSTED and the reason, says NOT_SERVING meanwhile, and serves again as soon as
// others close theirs: acceptor.h, descriptors.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/impl/codegen/service_type.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "rpc/server/acceptor.h"
#include "rpc/server/listening_sockets.h"
#include "rpc/server/refusing_server.h"

namespace cadre {

// The name by which grpc.health.v1 says whether the process is alive, where "" says whether it
// takes connections: to start it again would end those that it has.
inline constexpr char kLivenessService[] = "liveness";

struct ServerOptions {
  // As in ChannelOptions: how fast clients that vanished are noticed.
  absl::Duration keepalive_interval = absl::Seconds(10);
  absl::Duration keepalive_timeout = absl::Seconds(5);
  // Clients that ping more often than this are disconnected.
  absl::Duration smallest_ping_interval = absl::Seconds(5);
  // A connection on which nobody has said by then that it is gRPC's is closed.
  absl::Duration handshake_timeout = absl::Seconds(20);
};

class RpcServer {
 public:
  // Serves `services`, which must outlive it, on `address`, host:port, where port 0
  // picks a free one, or unix:/path. INVALID_ARGUMENT where that is not an address, UNAVAILABLE
  // where it cannot be listened on: "cannot listen on '127.0.0.1:5000': Address already in use";
  // errors of SetUpGrpc (grpc_set_up.h).
  static absl::StatusOr<std::unique_ptr<RpcServer>> Create(
      const std::string& address, const std::vector<grpc::Service*>& services,
      const ServerOptions& options = {});

  ~RpcServer();  // Shutdown without grace.
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  int port() const { return port_; }  // 0 of a Unix domain socket.
  // With the port that was bound.
  const std::string& address() const { return address_; }

  // OK, or why new connections are refused. For /healthz.
  absl::Status health() const;

  // Stops listening, says NOT_SERVING, gives the calls in flight `grace` to end and
  // cancels the rest. Streams that last for ever end cleanly if what they serve is
  // closed first (ParameterStore::Close()). Returns when no call is left. Idempotent.
  void Shutdown(absl::Duration grace);

 private:
  RpcServer(std::unique_ptr<ListeningSockets> sockets, std::string address, int port);
  absl::Status StartAccepting();

  const std::string address_;
  const int port_;
  // In the order in which they are made; each uses those before it. Constant until Shutdown,
  // and thread-safe.
  std::unique_ptr<ListeningSockets> sockets_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<RefusingServer> refusing_;
  std::unique_ptr<Acceptor> acceptor_;

  absl::Mutex shutdown_mutex_;
  bool shut_down_ ABSL_GUARDED_BY(shutdown_mutex_) = false;
};

}  // namespace cadre
