#include "rpc/address.h"

#include <sys/un.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace cadre {
namespace {

constexpr absl::string_view kUnix = "unix:";
constexpr size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;

}  // namespace

absl::StatusOr<Address> ParseAddress(absl::string_view address) {
  const absl::Status error = absl::InvalidArgumentError(
      absl::StrCat("address '", address, "' is not host:port or unix:/path"));
  if (absl::string_view path = address; absl::ConsumePrefix(&path, kUnix)) {
    if (path.size() > kLongestPath)
      return absl::InvalidArgumentError(absl::StrCat("address '", address, "' has a path of ",
                                                     path.size(), " bytes; wanted at most ",
                                                     kLongestPath));
    if (!absl::StartsWith(path, "/")) return error;
    return Address{.path = std::string(path)};
  }
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return error;
  absl::string_view host = address.substr(0, colon);
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  } else if (absl::StrContains(host, ':') || absl::StrContains(host, '/')) {
    return error;
  }
  Address parsed{.host = std::string(host)};
  if (host.empty() || !absl::SimpleAtoi(address.substr(colon + 1), &parsed.port)) return error;
  if (parsed.port < 0 || parsed.port > 65535) return error;
  return parsed;
}

std::string FormatAddress(const Address& address) {
  if (!address.path.empty()) return absl::StrCat(kUnix, address.path);
  if (absl::StrContains(address.host, ':')) {
    return absl::StrCat("[", address.host, "]:", address.port);
  }
  return absl::StrCat(address.host, ":", address.port);
}

}  // namespace cadre
