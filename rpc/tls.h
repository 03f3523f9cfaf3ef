// Mutual TLS for everything that Cadre says over gRPC, from one folder, which the environment
// variable CADRE_TLS_FOLDER names:
//   tls.crt, tls.key   this process's certificate chain and its key
//   ca.crt             who signs everybody's
// PEM, laid out as cert-manager's secrets are. Servers want a certificate of every client;
// clients want the server's name in its certificate. Without the variable all is plain text.
// The files are read again every minute: renewed certificates count for connections made from
// then on. Any thread may call.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"

namespace cadre {

inline constexpr char kTlsFolderVariable[] = "CADRE_TLS_FOLDER";

// NOT_FOUND where the variable is set and a file is missing; INVALID_ARGUMENT where one is not
// what it should be.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsFromEnvironment();
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFromEnvironment();

}  // namespace cadre
