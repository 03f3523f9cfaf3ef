#include "cli/supervised_process.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/file_io.h"
#include "common/random.h"
#include "common/shutdown.h"
#include "rpc/backoff.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

constexpr absl::Duration kQuick = absl::Seconds(10);

// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void Exec(char* const* arguments, int output, int log, pid_t supervisor) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);           // Ends with its supervisor,
  if (::getppid() != supervisor) ::_exit(127);  // which may be gone already.
  ::setpgid(0, 0);                              // Ctrl-C is the supervisor's to handle.
  ShutdownSignal::UnblockSignalsInChild();
  if (output >= 0) ::dup2(output, STDOUT_FILENO);
  if (log >= 0) ::dup2(log, STDERR_FILENO);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

// What a child that failed said last, without the "cadre_actor: error: " in front.
std::string LastWords(const std::string& log_path) {
  const absl::StatusOr<std::string> log = ReadFile(log_path);
  if (!log.ok()) return "";
  const absl::string_view text = absl::StripTrailingAsciiWhitespace(*log);
  const absl::string_view line = text.substr(text.rfind('\n') + 1);  // npos + 1 is 0.
  constexpr absl::string_view kMark = ": error: ";
  const size_t mark = line.find(kMark);
  return std::string(mark == line.npos ? line : line.substr(mark + kMark.size()));
}

}  // namespace

SupervisedProcess::SupervisedProcess(Options options) : options_(std::move(options)) {}

SupervisedProcess::~SupervisedProcess() {
  End();
  if (thread_.joinable()) thread_.join();
}

void SupervisedProcess::End() {
  Terminate();
  if (!thread_.joinable()) return;  // It was never started.
  absl::MutexLock lock(&mutex_);
  const absl::Duration left = terminated_at_ + options_.kill_after - MonotonicTime::Now();
  if (AwaitFor(mutex_, absl::Condition(&ended_), left)) return;
  spdlog::warn("{} did not end within {}; killing it", options_.name,
               absl::FormatDuration(options_.kill_after));
  killed_ = true;
  if (pid_ > 0) ::kill(pid_, SIGKILL);
  mutex_.Await(absl::Condition(&ended_));
}

void SupervisedProcess::Start() {
  thread_ = std::thread([this] { Supervise(); });
}

void SupervisedProcess::Terminate() {
  absl::MutexLock lock(&mutex_);
  if (!terminate_) terminated_at_ = MonotonicTime::Now();
  terminate_ = true;
  if (pid_ > 0) ::kill(pid_, SIGTERM);
}

bool SupervisedProcess::WaitFor(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  return AwaitFor(mutex_, absl::Condition(&ended_), timeout);
}

absl::Status SupervisedProcess::status() const {
  absl::MutexLock lock(&mutex_);
  return status_;
}

absl::Status SupervisedProcess::AskedEnd() const {
  if (!killed_) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(options_.name, " did not end within ",
                                                  absl::FormatDuration(options_.kill_after),
                                                  " and was killed"));
}

bool SupervisedProcess::asked_to_end() const {
  absl::MutexLock lock(&mutex_);
  return terminate_;
}

bool SupervisedProcess::ended() const {
  absl::MutexLock lock(&mutex_);
  return ended_;
}

int SupervisedProcess::restarts() const {
  absl::MutexLock lock(&mutex_);
  return restarts_;
}

pid_t SupervisedProcess::pid() const {
  absl::MutexLock lock(&mutex_);
  return pid_;
}

void SupervisedProcess::Supervise() {
  Backoff backoff({.initial = absl::Milliseconds(100), .maximum = absl::Seconds(5)});
  Random random(static_cast<uint64_t>(absl::GetCurrentTimeNanos()));
  int quick_deaths = 0;
  absl::Status status;
  while (true) {
    const MonotonicTime started = MonotonicTime::Now();
    const absl::StatusOr<int> ended = RunOnce();
    status = ended.ok() ? Judge(*ended) : ended.status();
    if (status.ok() && !asked_to_end() && options_.still_needed && options_.still_needed())
      status = absl::UnavailableError(absl::StrCat(options_.name, " ended before the run did"));
    absl::MutexLock lock(&mutex_);
    if (terminate_) {
      status = AskedEnd();
      break;
    }
    if (!absl::IsUnavailable(status)) break;
    quick_deaths = MonotonicTime::Now() - started < kQuick ? quick_deaths + 1 : 0;
    if (quick_deaths >= options_.max_quick_deaths) {
      status = absl::UnavailableError(absl::StrCat(status.message(), "; that was its death number ",
                                                   quick_deaths, " in a row, each within ",
                                                   absl::FormatDuration(kQuick)));
      break;
    }
    if (quick_deaths == 0) backoff.Reset();
    ++restarts_;
    spdlog::warn("{}; starting it again", std::string(status.message()));
    AwaitFor(mutex_, absl::Condition(&terminate_), backoff.Next(random.Uniform()));
    if (terminate_) {
      status = AskedEnd();
      break;
    }
  }
  {
    absl::MutexLock lock(&mutex_);
    status_ = std::move(status);
    ended_ = true;
  }
  if (options_.on_end) options_.on_end();
}

absl::StatusOr<int> SupervisedProcess::RunOnce() {
  std::vector<char*> arguments;
  for (const std::string& argument : options_.command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  int lines[2] = {-1, -1};
  if (options_.on_line && ::pipe2(lines, O_CLOEXEC) != 0)
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot make a pipe for ", options_.name, ": ", std::strerror(errno)));
  const int log =
      options_.log_path.empty()
          ? -1
          : ::open(options_.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const pid_t supervisor = ::getpid();
  pid_t child = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (!terminate_) {
      child = ::fork();
      if (child == 0) Exec(arguments.data(), lines[1], log, supervisor);
      pid_ = child < 0 ? 0 : child;
    }
  }
  if (log >= 0) ::close(log);
  if (options_.on_line) ::close(lines[1]);
  if (child <= 0) {
    if (options_.on_line) ::close(lines[0]);
    if (child == 0) return 0;  // Told to end before it started.
    return absl::ResourceExhaustedError(absl::StrCat("cannot start ", options_.name));
  }
  if (options_.on_line) {
    ReadLines(lines[0]);
    ::close(lines[0]);
  }
  // The child stays a zombie, and its pid ours, until it is reaped under the lock.
  siginfo_t info;
  while (::waitid(P_PID, child, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  absl::MutexLock lock(&mutex_);
  int wait_status = 0;
  while (::waitpid(child, &wait_status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return wait_status;
}

void SupervisedProcess::ReadLines(int descriptor) {
  std::string buffered;
  char chunk[4096];
  while (true) {
    const ssize_t got = ::read(descriptor, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    buffered.append(chunk, static_cast<size_t>(got));
    size_t begin = 0;
    for (size_t end; (end = buffered.find('\n', begin)) != std::string::npos; begin = end + 1)
      options_.on_line(absl::string_view(buffered).substr(begin, end - begin));
    buffered.erase(0, begin);
  }
  if (!buffered.empty()) options_.on_line(buffered);
}

absl::Status SupervisedProcess::Judge(int wait_status) const {
  if (WIFSIGNALED(wait_status))
    return absl::UnavailableError(absl::StrCat(options_.name, " was killed by signal ",
                                               WTERMSIG(wait_status), " (",
                                               strsignal(WTERMSIG(wait_status)), ")"));
  const int code = WEXITSTATUS(wait_status);
  std::string message = absl::StrCat(options_.name, " exited with status ", code);
  if (!options_.log_path.empty()) absl::StrAppend(&message, ": ", LastWords(options_.log_path));
  switch (code) {
    case 0:
      return absl::OkStatus();
    // Starting again would only repeat these; see common/exit_code.h.
    case 2:
      return absl::InvalidArgumentError(message);
    case 4:
      return absl::FailedPreconditionError(message);
    case 5:
      return absl::DataLossError(message);
    case 6:
      return absl::ResourceExhaustedError(message);
    case 127:
      return absl::NotFoundError(absl::StrCat("cannot execute ", options_.command[0]));
    default:
      return absl::UnavailableError(message);
  }
}

}  // namespace cadre
