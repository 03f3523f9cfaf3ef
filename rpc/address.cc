#include "rpc/address.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace cadre {

absl::StatusOr<Address> ParseAddress(absl::string_view address) {
  const absl::Status error =
      absl::InvalidArgumentError(absl::StrCat("address '", address, "' is not host:port"));
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return error;
  absl::string_view host = address.substr(0, colon);
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  } else if (absl::StrContains(host, ':') || absl::StrContains(host, '/')) {
    return error;
  }
  Address parsed{std::string(host), 0};
  if (host.empty() || !absl::SimpleAtoi(address.substr(colon + 1), &parsed.port)) return error;
  if (parsed.port < 0 || parsed.port > 65535) return error;
  return parsed;
}

std::string FormatAddress(const Address& address) {
  if (absl::StrContains(address.host, ':')) {
    return absl::StrCat("[", address.host, "]:", address.port);
  }
  return absl::StrCat(address.host, ":", address.port);
}

}  // namespace cadre
