#include "common/process/shutdown.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/check.h"
#include "common/process/event.h"
#include "common/process/start_thread.h"
#include "common/process/stop_answer.h"

namespace cadre {
namespace {

// Interrupts that come no later than this after the first belong to it.
constexpr int64_t kOneRequestNanoseconds = 1'000'000'000;

// Whether the process was started with SIGHUP ignored. Set before any signal is taken.
std::atomic<bool> hangup_is_ignored{false};
// Whether this made SIGPIPE ignored.
std::atomic<bool> ignores_broken_pipes{false};

// Async-signal-safe.
sigset_t ShutdownSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (!hangup_is_ignored) sigaddset(&set, SIGHUP);
  return set;
}

// Async-signal-safe.
int64_t MonotonicNanoseconds() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::atomic<int64_t> requested_at{0};  // By MonotonicNanoseconds().

// Whoever interrupts again, having waited for a second, does not want to wait any longer.
// Async-signal-safe.
void EndAtOnce(int) {
  if (MonotonicNanoseconds() - requested_at > kOneRequestNanoseconds) _exit(130);
}

std::atomic<int> live_instances{0};

// Threads that are older than the object do not have the signals blocked, such as
// those that a library starts when it is loaded: then one of them gets the signal,
// and leaves it here for the object's thread.
std::atomic<int> left_signal{0};
std::atomic<int> left_signal_fd{-1};  // Wakes that thread.

// Async-signal-safe.
void Leave(int signal) {
  const int error = errno;
  int none = 0;
  left_signal.compare_exchange_strong(none, signal);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(left_signal_fd, &one, sizeof(one));
  errno = error;
}

void Handle(int signal, void (*handler)(int), struct sigaction* former = nullptr) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, former);
}

}  // namespace

struct ShutdownSignal::Impl {
  Impl();
  ~Impl();

  void Run();         // The thread.
  void TakeSignal();  // Reads one from signal_fd.
  void StartShutdown(int signal);
  void RunCallbacks();
  void Wake() const;

  // Constant after construction.
  sigset_t former_mask;
  struct sigaction former_interrupt, former_terminate, former_hangup, former_pipe;
  int signal_fd = -1;
  int wake_fd = -1;

  std::atomic<bool> stopping{false};
  std::atomic<bool> request{false};
  std::atomic<int> signal{0};
  Event requested;  // Set by the thread only.

  absl::Mutex mutex;
  std::deque<std::function<void()>> callbacks ABSL_GUARDED_BY(mutex);  // Not yet run.

  std::thread thread;
};

ShutdownSignal::Impl::Impl() {
  CADRE_CHECK(live_instances.fetch_add(1) == 0);
  CADRE_CHECK(sigaction(SIGHUP, nullptr, &former_hangup) == 0);
  hangup_is_ignored = former_hangup.sa_handler == SIG_IGN;
  const sigset_t signals = ShutdownSignals();
  CADRE_CHECK(pthread_sigmask(SIG_BLOCK, &signals, &former_mask) == 0);
  signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CADRE_CHECK(signal_fd >= 0 && wake_fd >= 0);
  left_signal = 0;
  left_signal_fd = wake_fd;
  Handle(SIGINT, Leave, &former_interrupt);
  Handle(SIGTERM, Leave, &former_terminate);
  if (!hangup_is_ignored) Handle(SIGHUP, Leave);
  CADRE_CHECK(sigaction(SIGPIPE, nullptr, &former_pipe) == 0);
  ignores_broken_pipes = former_pipe.sa_handler == SIG_DFL;
  if (ignores_broken_pipes) Handle(SIGPIPE, SIG_IGN);
  thread = StartThreadOrExit("shutdown", [this] { Run(); });
}

ShutdownSignal::Impl::~Impl() {
  stopping = true;
  Wake();
  thread.join();
  // A second SIGTERM may be pending; with its former meaning it would end a process
  // that is stopping as it was asked to.
  signalfd_siginfo info;
  while (requested.HasBeenNotified() && read(signal_fd, &info, sizeof(info)) > 0) continue;
  sigaction(SIGINT, &former_interrupt, nullptr);
  sigaction(SIGTERM, &former_terminate, nullptr);
  sigaction(SIGHUP, &former_hangup, nullptr);
  if (ignores_broken_pipes.exchange(false)) sigaction(SIGPIPE, &former_pipe, nullptr);
  left_signal_fd = -1;
  close(signal_fd);
  close(wake_fd);
  pthread_sigmask(SIG_SETMASK, &former_mask, nullptr);
  live_instances.fetch_sub(1);
}

void ShutdownSignal::Impl::Wake() const {
  const uint64_t one = 1;
  // Fails only where the counter is full: then the thread is awake anyway.
  [[maybe_unused]] const ssize_t written = write(wake_fd, &one, sizeof(one));
}

void ShutdownSignal::Impl::Run() {
  while (true) {
    pollfd ready[] = {{wake_fd, POLLIN, 0}, {signal_fd, POLLIN, 0}};
    if (poll(ready, 2, /*timeout=*/-1) < 0) continue;  // EINTR.
    uint64_t count;
    [[maybe_unused]] const ssize_t drained = read(wake_fd, &count, sizeof(count));
    if (const int left = left_signal.exchange(0)) StartShutdown(left);
    if (ready[1].revents & POLLIN) TakeSignal();
    if (request) StartShutdown(0);
    if (requested.HasBeenNotified()) RunCallbacks();
    if (stopping) return;
  }
}

void ShutdownSignal::Impl::TakeSignal() {
  signalfd_siginfo info;
  if (read(signal_fd, &info, sizeof(info)) != sizeof(info)) return;
  StartShutdown(static_cast<int>(info.ssi_signo));
}

void ShutdownSignal::Impl::StartShutdown(int number) {
  if (requested.HasBeenNotified()) return;
  signal = number;
  requested_at = MonotonicNanoseconds();
  // From here on this thread lets SIGINT through, even while a callback runs.
  Handle(SIGINT, EndAtOnce);
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  requested.Notify();
  AnswerStop();
  pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
}

void ShutdownSignal::Impl::RunCallbacks() {
  while (true) {
    std::function<void()> callback;
    {
      absl::MutexLock lock(&mutex);
      if (callbacks.empty()) return;
      callback = std::move(callbacks.front());
      callbacks.pop_front();
    }
    callback();
  }
}

ShutdownSignal::ShutdownSignal() : impl_(std::make_unique<Impl>()) {}
ShutdownSignal::~ShutdownSignal() = default;

void ShutdownSignal::OnShutdown(std::function<void()> callback) {
  {
    absl::MutexLock lock(&impl_->mutex);
    impl_->callbacks.push_back(std::move(callback));
  }
  impl_->Wake();
}

void ShutdownSignal::Request() {
  impl_->request = true;
  impl_->Wake();
}

bool ShutdownSignal::requested() const { return impl_->requested.HasBeenNotified(); }
void ShutdownSignal::Wait() const { impl_->requested.Wait(); }
bool ShutdownSignal::WaitFor(absl::Duration timeout) const {
  return impl_->requested.WaitFor(timeout);
}
int ShutdownSignal::signal() const { return impl_->signal; }

void ShutdownSignal::UnblockSignalsInChild() {
  Handle(SIGINT, SIG_DFL);
  Handle(SIGTERM, SIG_DFL);
  if (!hangup_is_ignored) Handle(SIGHUP, SIG_DFL);
  if (ignores_broken_pipes) Handle(SIGPIPE, SIG_DFL);
  const sigset_t signals = ShutdownSignals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

}  // namespace cadre
