// host:port, or unix:/path of a socket on this machine, as all address flags are written.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cadre {

struct Address {
  std::string host;  // An IPv6 host without its brackets.
  int port = 0;
  std::string path;  // Of a Unix domain socket; then there is no host and no port.
};

// "127.0.0.1:5000", "replay:5000", "[::1]:5000", "unix:/run/replay". INVALID_ARGUMENT for
// anything else: "address 'replay' is not host:port or unix:/path".
absl::StatusOr<Address> ParseAddress(absl::string_view address);

// The reverse: brackets around an IPv6 host.
std::string FormatAddress(const Address& address);

}  // namespace cadre
