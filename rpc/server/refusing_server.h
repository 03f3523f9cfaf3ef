// Answers for a server that has no room: takes connections only to refuse every call on them
// with a reason, and closes them within about a second. Health checks are answered: NOT_SERVING
// as a whole, SERVING as kLivenessService (server.h). Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"

namespace cadre {

class RefusingServer {
 public:
  static absl::StatusOr<std::unique_ptr<RefusingServer>> Create(
      const std::shared_ptr<grpc::ServerCredentials>& credentials);
  ~RefusingServer();  // Cancels what is left.
  RefusingServer(const RefusingServer&) = delete;
  RefusingServer& operator=(const RefusingServer&) = delete;

  // Takes ownership of `connection`.
  void Take(int listener, int connection);

 private:
  // Of every call, whatever its name.
  class Service final : public grpc::CallbackGenericService {
   public:
    grpc::ServerGenericBidiReactor* CreateReactor(
        grpc::GenericCallbackServerContext* context) override;
  };

  RefusingServer() = default;

  Service service_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_;
  std::unique_ptr<grpc::Server> server_;
};

// Gives the connection to that gRPC server.
void HandOver(grpc::experimental::ExternalConnectionAcceptor* connections, int listener,
              int connection);

}  // namespace cadre
