#include "rpc/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

// A socket bound to a free port; -1, and errno, where there is none.
int BindAny(int* port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(descriptor, generic, size) != 0 || ::getsockname(descriptor, generic, &size) != 0) {
    ::close(descriptor);
    return -1;
  }
  *port = ntohs(address.sin_port);
  return descriptor;
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
