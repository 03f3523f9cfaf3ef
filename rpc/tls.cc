#include "rpc/tls.h"

#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"

namespace cadre {
namespace {

namespace tls = grpc::experimental;
using Provider = std::shared_ptr<tls::CertificateProviderInterface>;

constexpr unsigned int kRefreshSeconds = 60;

absl::Status CheckPem(const std::string& path, absl::string_view wanted) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok())
    return absl::Status(text.status().code(),
                        absl::StrCat(kTlsFolderVariable, ": ", text.status().message()));
  const size_t begin = text->find("-----BEGIN ");
  const size_t line_end = text->find('\n', begin);
  if (begin == std::string::npos ||
      absl::string_view(*text).substr(begin, line_end - begin).find(wanted) ==
          absl::string_view::npos)
    return absl::InvalidArgumentError(
        absl::StrCat(kTlsFolderVariable, ": ", path, " holds no ", wanted, " in PEM"));
  return absl::OkStatus();
}

// One for each folder, as each has a thread that reads its files again.
absl::StatusOr<Provider> ProviderOf(const std::string& folder) {
  static absl::Mutex mutex;
  static std::map<std::string, Provider>* const providers = new std::map<std::string, Provider>;
  absl::MutexLock lock(&mutex);
  Provider& provider = (*providers)[folder];
  if (provider != nullptr) return provider;
  const std::string key = absl::StrCat(folder, "/tls.key");
  const std::string certificate = absl::StrCat(folder, "/tls.crt");
  const std::string authorities = absl::StrCat(folder, "/ca.crt");
  CADRE_RETURN_IF_ERROR(CheckPem(key, "PRIVATE KEY"));
  CADRE_RETURN_IF_ERROR(CheckPem(certificate, "CERTIFICATE"));
  CADRE_RETURN_IF_ERROR(CheckPem(authorities, "CERTIFICATE"));
  provider = std::make_shared<tls::FileWatcherCertificateProvider>(key, certificate, authorities,
                                                                   kRefreshSeconds);
  return provider;
}

// Null: plain text.
absl::StatusOr<Provider> ProviderFromEnvironment() {
  const char* const folder = std::getenv(kTlsFolderVariable);
  if (folder == nullptr || *folder == '\0') return nullptr;
  return ProviderOf(folder);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsFromEnvironment() {
  CADRE_ASSIGN_OR_RETURN(const Provider provider, ProviderFromEnvironment());
  if (provider == nullptr) return grpc::InsecureChannelCredentials();
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(provider);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  return tls::TlsCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFromEnvironment() {
  CADRE_ASSIGN_OR_RETURN(const Provider provider, ProviderFromEnvironment());
  if (provider == nullptr) return grpc::InsecureServerCredentials();
  tls::TlsServerCredentialsOptions options(provider);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return tls::TlsServerCredentials(options);
}

}  // namespace cadre
