#include "rpc/server/server.h"

#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/process/descriptors.h"
#include "common/status_macros.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server_builder.h"
#include "rpc/address.h"
#include "rpc/call_timeout.h"
#include "rpc/server/grpc_set_up.h"
#include "rpc/server/http2_sizes.h"
#include "rpc/tls.h"

namespace cadre {
namespace {

using ConnectionType = grpc::ServerBuilder::experimental_type::ExternalConnectionType;

// Reflection is gRPC's own and synchronous: each of its streams holds a thread. So many may.
constexpr int kReflectionThreads = 8;

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

// Both are plugins of every server built after the first call.
void EnableHealthAndReflection() {
  static const bool enabled = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  static_cast<void>(enabled);
}

absl::Status CannotListen(const std::string& address, const absl::Status& why) {
  return absl::UnavailableError(absl::StrCat("cannot listen on '", address, "': ", why.message()));
}

void SetArguments(const ServerOptions& options, grpc::ServerBuilder* builder) {
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_interval));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              Milliseconds(options.keepalive_timeout));
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // No limit.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              Milliseconds(options.smallest_ping_interval));
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                              Milliseconds(options.handshake_timeout));
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kLargestFrame);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kServerReadAhead);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, kWriteBuffer);
  builder->SetMaxReceiveMessageSize(-1);
  builder->SetMaxSendMessageSize(-1);
}

// Calls of reflection beyond this end with RESOURCE_EXHAUSTED.
void LimitThreads(grpc::ServerBuilder* builder) {
  builder->SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);  // With one thread that polls.
  builder->SetResourceQuota(grpc::ResourceQuota("server").SetMaxThreads(1 + kReflectionThreads));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Create(
    const std::string& address, const std::vector<grpc::Service*>& services,
    const ServerOptions& options) {
  CADRE_ASSIGN_OR_RETURN(Address bound, ParseAddress(address));
  CADRE_RETURN_IF_ERROR(SetUpGrpc());
  EnableHealthAndReflection();
  CADRE_ASSIGN_OR_RETURN(const auto credentials, ServerCredentialsFromEnvironment());
  absl::StatusOr<std::unique_ptr<ListeningSockets>> sockets =
      ListeningSockets::Open(bound, options.keepalive_timeout);
  if (!sockets.ok()) return CannotListen(address, sockets.status());
  bound.port = (*sockets)->port();
  auto server =
      absl::WrapUnique(new RpcServer(*std::move(sockets), FormatAddress(bound), bound.port));
  grpc::ServerBuilder builder;
  SetArguments(options, &builder);
  LimitThreads(&builder);
  for (grpc::Service* service : services) builder.RegisterService(service);
  server->connections_ =
      builder.experimental().AddExternalConnectionAcceptor(ConnectionType::FROM_FD, credentials);
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr)
    return CannotListen(address, absl::InternalError("gRPC could not start a server"));
  CADRE_ASSIGN_OR_RETURN(server->refusing_, RefusingServer::Create(credentials));
  CADRE_RETURN_IF_ERROR(server->StartAccepting());
  return server;
}

RpcServer::RpcServer(std::unique_ptr<ListeningSockets> sockets, std::string address, int port)
    : address_(std::move(address)), port_(port), sockets_(std::move(sockets)) {}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

absl::Status RpcServer::StartAccepting() {
  grpc::HealthCheckServiceInterface* const health = server_->GetHealthCheckService();
  health->SetServingStatus(kLivenessService, true);
  Acceptor::Handlers handlers;
  handlers.serve = [this](int listener, int connection) {
    HandOver(connections_.get(), listener, connection);
  };
  handlers.refuse = [this](int listener, int connection) { refusing_->Take(listener, connection); };
  handlers.shortage = [health](const absl::Status& why) { health->SetServingStatus("", why.ok()); };
  CADRE_ASSIGN_OR_RETURN(acceptor_, Acceptor::Create(sockets_->descriptors(), std::move(handlers)));
  return absl::OkStatus();
}

absl::Status RpcServer::health() const { return CheckDescriptors(); }

void RpcServer::Shutdown(absl::Duration grace) {
  absl::MutexLock lock(&shutdown_mutex_);
  if (shut_down_) return;
  shut_down_ = true;
  acceptor_.reset();
  sockets_.reset();
  refusing_.reset();
  if (server_ == nullptr) return;  // It never was.
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(DeadlineAfter(grace));
  server_->Wait();
}

}  // namespace cadre
