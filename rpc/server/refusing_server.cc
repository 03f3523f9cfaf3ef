#include "rpc/server/refusing_server.h"

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "common/process/descriptors.h"
#include "grpcpp/health_check_service_interface.h"
#include "rpc/call_timeout.h"
#include "rpc/server/server.h"
#include "rpc/status.h"

namespace cadre {
namespace {

using ConnectionType = grpc::ServerBuilder::experimental_type::ExternalConnectionType;

// Long enough for a connection's first call, by which it hears why.
constexpr int kConnectionAgeMilliseconds = 500;
constexpr int kHandshakeMilliseconds = 2000;

class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerGenericBidiReactor* RefusingServer::Service::CreateReactor(
    grpc::GenericCallbackServerContext* /*context*/) {
  absl::Status why = CheckDescriptors();
  if (why.ok()) why = absl::ResourceExhaustedError("the server was out of file descriptors");
  return new Refusal(RefusedForNow(why));
}

absl::StatusOr<std::unique_ptr<RefusingServer>> RefusingServer::Create(
    const std::shared_ptr<grpc::ServerCredentials>& credentials) {
  auto refusing = absl::WrapUnique(new RefusingServer);
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, kConnectionAgeMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kConnectionAgeMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMilliseconds);
  builder.RegisterCallbackGenericService(&refusing->service_);
  refusing->connections_ =
      builder.experimental().AddExternalConnectionAcceptor(ConnectionType::FROM_FD, credentials);
  refusing->server_ = builder.BuildAndStart();
  if (refusing->server_ == nullptr) return absl::InternalError("gRPC could not start a server");
  grpc::HealthCheckServiceInterface* const health = refusing->server_->GetHealthCheckService();
  health->SetServingStatus("", false);
  health->SetServingStatus(kLivenessService, true);
  return refusing;
}

RefusingServer::~RefusingServer() {
  if (server_ == nullptr) return;
  server_->Shutdown(DeadlineAfter(absl::ZeroDuration()));
  server_->Wait();
}

void RefusingServer::Take(int listener, int connection) {
  HandOver(connections_.get(), listener, connection);
}

void HandOver(grpc::experimental::ExternalConnectionAcceptor* connections, int listener,
              int connection) {
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters taken;
  taken.listener_fd = listener;
  taken.fd = connection;
  connections->HandleNewConnection(&taken);
}

}  // namespace cadre
