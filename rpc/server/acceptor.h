// Accepts the connections of a server in gRPC's place. gRPC 1.51 gives its listener up after
// the first accept() that fails, as it does when the process has no file descriptor left, and
// never takes another connection (tcp_server_posix.cc, on_read: `goto error` without a new
// notification). This one stays, and looks at each connection's descriptor (descriptors.h):
//
//   below the reserve         to be served
//   in its lower half         to be refused, with a reason, and closed soon
//   above, or none is left    closed at once
//
// The upper half is for files and metrics alone. One descriptor is held back to be able to
// take and close connections that would wait for ever otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/process/repeated_events.h"

namespace cadre {

class Acceptor {
 public:
  // `listener` is that of the connection, which belongs to the callee. Called on the
  // acceptor's thread; they must not block.
  using Take = std::function<void(int listener, int connection)>;
  struct Handlers {
    Take serve;
    Take refuse;
    // Connections are not served any more, and why; or OK: they are again.
    std::function<void(const absl::Status&)> shortage;
  };

  // `listeners` must not block, and stay open as long as this. RESOURCE_EXHAUSTED if there are
  // no descriptors or threads for it.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Create(std::vector<int> listeners,
                                                          Handlers handlers);
  ~Acceptor();  // Accepts nothing any more, and joins.
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  Acceptor(std::vector<int> listeners, Handlers handlers, int stop, int spare);

  void Run();  // The thread. What follows is its alone.
  void AcceptAll(int listener);
  // False if there is nothing more to accept, or nothing to accept it with.
  bool AcceptOne(int listener);
  void HandOver(int listener, int connection);
  bool CloseOne(int listener);
  bool GoOnAfter(int error);  // Of accept().
  // How many events of this kind to log now, as RepeatedEvents::Count.
  int64_t Count(absl::string_view kind);
  void NoteShortage();  // Whether or not anybody is refused.
  void Review();        // While it lasts.

  const std::vector<int> listeners_;
  const Handlers handlers_;
  const int stop_;  // An eventfd: readable once the thread is to end.

  int spare_;               // -1: somebody took it.
  bool short_ = false;      // What was reported to the handlers last.
  bool calm_ = false;       // Since the last Review nothing was refused.
  bool exhausted_ = false;  // Accepting does not work now.
  RepeatedEvents events_;
  int64_t refused_ = 0;  // Connections, in this shortage.
  std::thread thread_;
};

}  // namespace cadre
