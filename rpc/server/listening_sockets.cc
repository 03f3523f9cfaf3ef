#include "rpc/server/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr int kSocketFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;

sockaddr_un PathAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

bool SomebodyListens(const std::string& path) {
  const sockaddr_un address = PathAddress(path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool listens =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return listens;
}

bool IsSocket(const std::string& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

// What accepted connections inherit: gRPC's own listener sets these too.
void SetTcpOptions(int fd, absl::Duration user_timeout) {
  const int on = 1;
  const auto timeout = static_cast<int>(absl::ToInt64Milliseconds(user_timeout));
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

// A socket that listens on `address` with `port` in place of its own; -1, and errno.
int Listen(const sockaddr* address, socklen_t bytes, int port, absl::Duration user_timeout) {
  sockaddr_storage bound = {};
  std::memcpy(&bound, address, bytes);
  if (bound.ss_family == AF_INET6)
    reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port = htons(static_cast<uint16_t>(port));
  else
    reinterpret_cast<sockaddr_in*>(&bound)->sin_port = htons(static_cast<uint16_t>(port));
  const int fd = socket(bound.ss_family, SOCK_STREAM | kSocketFlags, 0);
  if (fd < 0) return -1;
  SetTcpOptions(fd, user_timeout);
  const int off = 0;
  if (bound.ss_family == AF_INET6)
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));  // Of ::, IPv4 as well.
  if (bind(fd, reinterpret_cast<const sockaddr*>(&bound), bytes) == 0 && listen(fd, SOMAXCONN) == 0)
    return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int PortOf(int fd) {
  sockaddr_storage bound = {};
  socklen_t bytes = sizeof(bound);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &bytes) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                           : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

bool IsWildcard(const addrinfo& address) {
  if (address.ai_family == AF_INET6)
    return IN6_IS_ADDR_UNSPECIFIED(
        &reinterpret_cast<const sockaddr_in6*>(address.ai_addr)->sin6_addr);
  return reinterpret_cast<const sockaddr_in*>(address.ai_addr)->sin_addr.s_addr ==
         htonl(INADDR_ANY);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ListeningSockets>> ListeningSockets::Open(
    const Address& address, absl::Duration user_timeout) {
  auto sockets = absl::WrapUnique(new ListeningSockets);
  if (!address.path.empty())
    CADRE_RETURN_IF_ERROR(sockets->OpenPath(address.path));
  else
    CADRE_RETURN_IF_ERROR(sockets->OpenHost(address, user_timeout));
  return sockets;
}

ListeningSockets::~ListeningSockets() {
  if (!path_.empty()) unlink(path_.c_str());
  for (const int fd : descriptors_) close(fd);
}

absl::Status ListeningSockets::OpenPath(const std::string& path) {
  if (SomebodyListens(path)) return absl::UnavailableError(std::strerror(EADDRINUSE));
  if (IsSocket(path)) unlink(path.c_str());  // Whoever made it is gone.
  const sockaddr_un address = PathAddress(path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | kSocketFlags, 0);
  if (fd < 0) return absl::UnavailableError(std::strerror(errno));
  descriptors_.push_back(fd);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return absl::UnavailableError(absl::StrCat(
        std::strerror(errno), "; wanted a folder that is there and may be written to"));
  path_ = path;
  if (listen(fd, SOMAXCONN) != 0) return absl::UnavailableError(std::strerror(errno));
  return absl::OkStatus();
}

absl::Status ListeningSockets::OpenHost(const Address& address, absl::Duration user_timeout) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(address.host.c_str(), "0", &hints, &found); error != 0)
    return absl::UnavailableError(gai_strerror(error));
  const absl::Cleanup freed = [found] { freeaddrinfo(found); };
  port_ = address.port;
  int first_error = 0;
  const auto open = [&](const sockaddr* at, socklen_t bytes) {
    const int fd = Listen(at, bytes, port_, user_timeout);
    if (fd < 0) {
      if (first_error == 0) first_error = errno;
      return false;
    }
    descriptors_.push_back(fd);
    port_ = PortOf(fd);  // The same for the others.
    return true;
  };
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (IsWildcard(*at)) {
      sockaddr_in6 all = {};
      all.sin6_family = AF_INET6;
      if (open(reinterpret_cast<const sockaddr*>(&all), sizeof(all))) return absl::OkStatus();
      if (first_error != EADDRINUSE && first_error != EACCES) first_error = 0;  // No IPv6 here.
      if (first_error != 0) break;
    }
    open(at->ai_addr, at->ai_addrlen);
  }
  if (!descriptors_.empty()) return absl::OkStatus();
  return absl::UnavailableError(std::strerror(first_error));
}

}  // namespace cadre
