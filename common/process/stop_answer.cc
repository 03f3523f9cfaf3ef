#include "common/process/stop_answer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "common/process/monotonic_time.h"

namespace cadre {
namespace {

// Bytes that nobody reads would fill the pipe; so many a second tell as much.
constexpr absl::Duration kInterval = absl::Milliseconds(100);

// -1: there is no pipe. A process that this one starts does not inherit it.
int Pipe() {
  static const int pipe = [] {
    const char* const text = std::getenv(kStopPipe);
    int descriptor;
    struct stat info;
    if (text == nullptr || !absl::SimpleAtoi(text, &descriptor) || fstat(descriptor, &info) != 0 ||
        !S_ISFIFO(info.st_mode))
      return -1;
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    return descriptor;
  }();
  return pipe;
}

void Say() {
  // A full pipe has told enough, and a reader that is gone wants to know nothing.
  [[maybe_unused]] const ssize_t written = write(Pipe(), ".", 1);
}

std::atomic<bool> answered{false};
std::atomic<int64_t> said_at{0};  // In nanoseconds since some moment.

}  // namespace

void AnswerStop() {
  if (Pipe() < 0) return;
  Say();
  answered = true;
}

void NoteSaved() {
  if (!answered) return;
  static const MonotonicTime begin = MonotonicTime::Now();
  const int64_t now = absl::ToInt64Nanoseconds(MonotonicTime::Now() - begin) + 1;
  int64_t before = said_at;
  if (before != 0 && now - before < absl::ToInt64Nanoseconds(kInterval)) return;
  if (said_at.compare_exchange_strong(before, now)) Say();
}

}  // namespace cadre
