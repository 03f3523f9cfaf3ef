// The sockets that a server listens on at an address: one, or one for each address that a
// name has. They do not block. Thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/address.h"

namespace cadre {

class ListeningSockets {
 public:
  // Port 0 picks a free one. A wildcard, 0.0.0.0 or [::], is both, of IPv4 and IPv6. If a
  // name has several addresses, it is enough that one can be listened on. UNAVAILABLE, and the
  // system's reason, if there is none. `user_timeout`: how long data that was sent may stay
  // unacknowledged on a connection.
  static absl::StatusOr<std::unique_ptr<ListeningSockets>> Open(const Address& address,
                                                                absl::Duration user_timeout);

  ~ListeningSockets();  // Closes them, and removes the path of a Unix domain socket.
  ListeningSockets(const ListeningSockets&) = delete;
  ListeningSockets& operator=(const ListeningSockets&) = delete;

  const std::vector<int>& descriptors() const { return descriptors_; }
  int port() const { return port_; }  // 0 of a Unix domain socket.

 private:
  ListeningSockets() = default;
  absl::Status OpenPath(const std::string& path);
  absl::Status OpenHost(const Address& address, absl::Duration user_timeout);

  std::vector<int> descriptors_;
  int port_ = 0;
  std::string path_;
};

}  // namespace cadre
