// Starting a child process that writes to pipes of ours.
#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

namespace cadre {

// A pipe from a child, closed at the end of its scope.
class Pipe {
 public:
  Pipe() = default;
  ~Pipe() {
    CloseWriting();
    if (ends_[0] >= 0) ::close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool Open() { return ::pipe2(ends_, O_CLOEXEC) == 0; }
  int reading() const { return ends_[0]; }  // -1: it was not opened.
  int writing() const { return ends_[1]; }
  void CloseWriting() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }

 private:
  int ends_[2] = {-1, -1};
};

// Runs `command`, a program's path and its arguments, in a process group of its own and with the
// signals as they were before ShutdownSignal; it is asked to end when this process does. It writes
// its output to `output`, its errors to `log`, and what it has to say of a stop (stop_answer.h) to
// `answers`; -1: as this process does, and nowhere. Returns its pid; below 0: it could not be
// started. One that cannot be executed ends with 127.
pid_t StartChild(const std::vector<std::string>& command, int output, int answers, int log);

}  // namespace cadre
