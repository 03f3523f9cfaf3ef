// SIGINT, SIGTERM and SIGHUP, taken by one thread, so that what has to happen runs as
// ordinary code. A SIGINT that comes more than a second later ends the process at once with
// status 130. Within that second it belongs to the first request: `timeout -s INT` signals
// the process, and then its group, which it is in.
//
// A SIGHUP that was ignored when the process started, as under nohup, stays ignored. A pipe
// that nobody reads any more, such as one to a `tee` that the same Ctrl-C ended, does not
// end the process either: SIGPIPE is ignored, unless somebody handles it.
#pragma once

#include <functional>
#include <memory>

#include "absl/time/time.h"

namespace cadre {

// Create it first in main: threads made later have the signals blocked. One that is
// older, such as a library's, and gets a signal passes it on. One object at a time in
// a process. Thread-safe.
class ShutdownSignal {
 public:
  ShutdownSignal();
  ~ShutdownSignal();  // Joins its thread; the signals get their former meaning back.
  ShutdownSignal(const ShutdownSignal&) = delete;
  ShutdownSignal& operator=(const ShutdownSignal&) = delete;

  // Runs `callback` once on this object's thread when shutdown is requested, after
  // those registered before it; soon, if it was requested already. What it uses
  // must outlive this object. It should return quickly: later ones wait for it.
  void OnShutdown(std::function<void()> callback);

  // Asks for shutdown as a signal would, from any thread.
  void Request();

  bool requested() const;
  // Blocks until shutdown is requested.
  void Wait() const;
  // The same, at most for `timeout`; false if it passed.
  bool WaitFor(absl::Duration timeout) const;
  // The signal that came first; 0: none, or Request().
  int signal() const;

  // A child process inherits the blocked signals, and until exec what they do: call
  // this before exec, and they mean again what they meant before. Async-signal-safe.
  static void UnblockSignalsInChild();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cadre
