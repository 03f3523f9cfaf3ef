// Lines over a stream socket: the messages between Cadre and processes that step environments, or
// step by them. One thread at a time.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cadre {

class LineSocket {
 public:
  // Closes it in the end.
  explicit LineSocket(int descriptor) : descriptor_(descriptor) {}
  ~LineSocket() { ::close(descriptor_); }
  LineSocket(const LineSocket&) = delete;
  LineSocket& operator=(const LineSocket&) = delete;

  int descriptor() const { return descriptor_; }

  // False where nobody is there.
  bool Send(absl::string_view line) {
    const std::string whole = absl::StrCat(line, "\n");
    for (size_t sent = 0; sent < whole.size();) {
      const ssize_t n = ::send(descriptor_, whole.data() + sent, whole.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno != EINTR) return false;
      if (n > 0) sent += n;
    }
    return true;
  }

  // One that has come.
  std::optional<std::string> TakeLine() {
    const size_t end = received_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = received_.substr(0, end);
    received_.erase(0, end + 1);
    return line;
  }

  // Waits for more, or with `flags` MSG_DONTWAIT does not; false where there is none.
  bool ReadMore(int flags = 0) {
    char buffer[4096];
    ssize_t n;
    do n = ::recv(descriptor_, buffer, sizeof(buffer), flags);
    while (n < 0 && errno == EINTR);
    if (n <= 0) return false;
    received_.append(buffer, n);
    return true;
  }

 private:
  const int descriptor_;
  std::string received_;
};

}  // namespace cadre
