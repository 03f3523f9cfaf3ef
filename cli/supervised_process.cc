#include "cli/supervised_process.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/child_process.h"
#include "common/files/file_io.h"
#include "common/process/shutdown.h"
#include "common/process/start_thread.h"
#include "common/random.h"
#include "rpc/backoff.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

constexpr absl::Duration kQuick = absl::Seconds(10);

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
  while (!ended_) {
    const absl::Duration left = KillAt() - MonotonicTime::Now();
    if (left <= absl::ZeroDuration()) break;
    const auto news = [this, answered_at = answered_at_]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return ended_ || answered_at_ != answered_at;
    };
    AwaitFor(mutex_, absl::Condition(&news), left);
  }
  if (ended_) return;
  killed_ = WhyKilled();
  spdlog::warn("{} {}; killing it", options_.name, killed_);
  if (pid_ > 0) ::kill(pid_, SIGKILL);
  mutex_.Await(absl::Condition(&ended_));
}

MonotonicTime SupervisedProcess::KillAt() const {
  const MonotonicTime first = terminated_at_ + options_.kill_after;
  if (!options_.save_pause.has_value() || answered_at_ == MonotonicTime()) return first;
  return std::max(first, answered_at_ + *options_.save_pause);
}

std::string SupervisedProcess::WhyKilled() const {
  const bool saves = options_.save_pause.has_value();
  if (saves && answered_at_ != MonotonicTime())
    return absl::StrCat("saved nothing for ", absl::FormatDuration(*options_.save_pause));
  return absl::StrCat("did not ", saves ? "answer a stop" : "end", " within ",
                      absl::FormatDuration(options_.kill_after));
}

void SupervisedProcess::Start() {
  absl::StatusOr<std::thread> thread = StartThread("supervise", [this] { Supervise(); });
  if (thread.ok())
    thread_ = *std::move(thread);
  else
    Ended(thread.status());
}

void SupervisedProcess::Ended(absl::Status status) {
  {
    absl::MutexLock lock(&mutex_);
    status_ = std::move(status);
    ended_ = true;
  }
  if (options_.on_end) options_.on_end();
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
  if (killed_.empty()) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(options_.name, " ", killed_, " and was killed"));
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
  Ended(std::move(status));
}

absl::StatusOr<int> SupervisedProcess::RunOnce() {
  Pipe lines, answers;
  if ((options_.on_line && !lines.Open()) || (options_.save_pause.has_value() && !answers.Open()))
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot make a pipe for ", options_.name, ": ", std::strerror(errno)));
  if (answers.writing() >= 0) ::fcntl(answers.writing(), F_SETFL, O_NONBLOCK);
  const int log =
      options_.log_path.empty()
          ? -1
          : ::open(options_.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  pid_t child = 0;
  {
    absl::MutexLock lock(&mutex_);
    answered_at_ = MonotonicTime();
    if (!terminate_) {
      child = StartChild(options_.command, lines.writing(), answers.writing(), log);
      pid_ = child < 0 ? 0 : child;
    }
  }
  if (log >= 0) ::close(log);
  lines.CloseWriting();
  answers.CloseWriting();
  if (child == 0) return 0;  // Told to end before it started.
  if (child < 0) return absl::ResourceExhaustedError(absl::StrCat("cannot start ", options_.name));
  ReadPipes(lines.reading(), answers.reading());
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

void SupervisedProcess::ReadPipes(int lines, int answers) {
  std::string line;  // The beginning of the next one.
  char bytes[4096];
  // What was read; nothing, and never again, at the pipe's end.
  const auto read = [&bytes](pollfd& pipe) -> absl::string_view {
    if (pipe.revents == 0) return {};
    const ssize_t got = ::read(pipe.fd, bytes, sizeof(bytes));
    if (got == 0 || (got < 0 && errno != EINTR)) pipe.fd = -1;
    return {bytes, got > 0 ? static_cast<size_t>(got) : 0};
  };
  pollfd pipes[] = {{lines, POLLIN, 0}, {answers, POLLIN, 0}};
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    if (::poll(pipes, 2, /*timeout=*/-1) < 0) continue;  // EINTR.
    absl::string_view text = read(pipes[0]);
    for (size_t end; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1)) {
      line.append(text.data(), end);
      options_.on_line(line);
      line.clear();
    }
    line.append(text.data(), text.size());
    if (read(pipes[1]).empty()) continue;
    absl::MutexLock lock(&mutex_);
    answered_at_ = MonotonicTime::Now();
  }
  if (!line.empty()) options_.on_line(line);
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
    // Starting again would only repeat these; see common/process/exit_code.h.
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
