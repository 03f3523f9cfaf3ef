#include "rpc/server/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/file_io.h"

namespace cadre {
namespace {

constexpr int kLowest = 10'000;  // Below are those of well-known services.
constexpr int kAttempts = 100;   // At ports that nobody is handed out.

// The first of the ports that the kernel hands out to whoever connects, and to port 0.
std::optional<int> FirstHandedOut() {
  const absl::StatusOr<std::string> range = ReadFile("/proc/sys/net/ipv4/ip_local_port_range");
  if (!range.ok()) return std::nullopt;
  const std::vector<std::string> ports =
      absl::StrSplit(*range, absl::ByAnyChar("\t \n"), absl::SkipEmpty());
  int first;
  return ports.size() == 2 && absl::SimpleAtoi(ports[0], &first) ? std::optional(first)
                                                                 : std::nullopt;
}

// A socket bound to `port`, or where that is 0 to any, which is then in it; -1, and errno, where
// it is taken.
int Bind(int* port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(*port));
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(descriptor, generic, size) != 0 || ::getsockname(descriptor, generic, &size) != 0) {
    const int error = errno;
    ::close(descriptor);
    errno = error;
    return -1;
  }
  *port = ntohs(address.sin_port);
  return descriptor;
}

int BindAny(int* port) {
  static const std::optional<int> first_handed_out = FirstHandedOut();
  if (first_handed_out && *first_handed_out > kLowest) {
    absl::BitGen random;
    for (int i = 0; i < kAttempts; ++i) {
      *port = absl::Uniform(random, kLowest, *first_handed_out);
      const int descriptor = Bind(port);
      if (descriptor >= 0) return descriptor;
    }
  }
  *port = 0;
  return Bind(port);
}

}  // namespace

absl::StatusOr<std::vector<int>> FreeLoopbackPorts(int count) {
  std::vector<int> ports, sockets;  // All are open at once, so that they differ.
  absl::Status status;
  for (int i = 0; i < count && status.ok(); ++i) {
    int port = 0;
    const int descriptor = BindAny(&port);
    if (descriptor < 0) {
      status = absl::ResourceExhaustedError(
          absl::StrCat("no free port on 127.0.0.1: ", std::strerror(errno)));
    } else {
      sockets.push_back(descriptor);
      ports.push_back(port);
    }
  }
  for (int descriptor : sockets) ::close(descriptor);
  if (!status.ok()) return status;
  return ports;
}

}  // namespace cadre
