#include "envs/python/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/check.h"
#include "common/process/shutdown.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr char kPythonPath[] = "PYTHONPATH";
// A process that has closed its socket ends soon; then it says with which status.
constexpr absl::Duration kTimeToEnd = absl::Seconds(2);
constexpr absl::Duration kSoon = absl::Microseconds(200);

// Where the package is that fits this binary: as installed, or in the sources. Empty: only where
// the interpreter finds it.
std::string PackageFolder() {
  std::error_code ignored;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", ignored);
  for (const std::filesystem::path& folder : {binary.parent_path() / "../share/cadre/python",
                                              std::filesystem::path(CADRE_PYTHON_SOURCES)})
    if (std::filesystem::exists(folder / "cadre/env_worker.py", ignored))
      return folder.lexically_normal().string();
  return "";
}

// Ours, with the package first in the path.
std::vector<std::string> EnvironmentOfWorker() {
  const std::string prefix = absl::StrCat(kPythonPath, "=");
  std::string path = PackageFolder();
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const absl::string_view text = *variable;
    if (!absl::StartsWith(text, prefix))
      variables.emplace_back(text);
    else if (text.size() > prefix.size())
      absl::StrAppend(&path, path.empty() ? "" : ":", text.substr(prefix.size()));
  }
  if (!path.empty()) variables.push_back(absl::StrCat(prefix, path));
  return variables;
}

// As exec wants them. The strings must outlive it.
std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void Exec(char* const* arguments, char* const* environment, int socket, int memory,
                       pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);       // Ends with its parent, even where it hangs;
  if (::getppid() != parent) ::_exit(127);  // which may be gone already.
  ::setpgid(0, 0);                          // Ctrl-C is the parent's to handle.
  ShutdownSignal::UnblockSignalsInChild();
  ::dup2(STDERR_FILENO, STDOUT_FILENO);  // What environments print is not our output.
  ::fcntl(socket, F_SETFD, 0);           // They outlive exec.
  ::fcntl(memory, F_SETFD, 0);
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

// The worker and what its environments started. It leads a group unless it has just begun.
void KillGroup(pid_t pid) {
  if (::kill(-pid, SIGKILL) != 0) ::kill(pid, SIGKILL);
}

}  // namespace

WakeUp::WakeUp() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CADRE_CHECK(descriptor_ >= 0);
}

WakeUp::~WakeUp() { ::close(descriptor_); }

void WakeUp::Notify() {
  const uint64_t one = 1;
  static_cast<void>(::write(descriptor_, &one, sizeof(one)) == sizeof(one));
}

bool WakeUp::notified() const {
  pollfd wait = {.fd = descriptor_, .events = POLLIN};
  return ::poll(&wait, 1, 0) > 0;
}

absl::StatusOr<std::string> PythonInterpreter() {
  const char* const chosen = std::getenv("CADRE_PYTHON");
  const bool given = chosen != nullptr && *chosen != '\0';
  const std::string name = given ? chosen : "python3";
  const char* const path = std::getenv("PATH");
  std::vector<std::string> folders;
  if (absl::StrContains(name, '/'))
    folders = {""};
  else if (path != nullptr)
    folders = absl::StrSplit(path, ':');
  for (const std::string& folder : folders) {
    const std::string found = folder.empty() ? name : absl::StrCat(folder, "/", name);
    if (::access(found.c_str(), X_OK) == 0) return found;
  }
  return absl::NotFoundError(absl::StrCat("Python interpreter: there is no '", name, "'; wanted ",
                                          given ? "$CADRE_PYTHON to name one" : "$CADRE_PYTHON",
                                          ", with numpy and what its environments need"));
}

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(int memory,
                                                                    const WakeUp* wake) {
  CADRE_ASSIGN_OR_RETURN(const std::string interpreter, PythonInterpreter());
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    return absl::ResourceExhaustedError(
        absl::StrCat("a socket for a Python worker: ", std::strerror(errno)));
  const std::vector<std::string> command = {interpreter,
                                            "-m",
                                            "cadre.env_worker",
                                            "--control",
                                            absl::StrCat(sockets[1]),
                                            "--memory",
                                            absl::StrCat(memory)};
  const std::vector<std::string> environment = EnvironmentOfWorker();
  const std::vector<char*> arguments = Pointers(command);
  const std::vector<char*> variables = Pointers(environment);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) Exec(arguments.data(), variables.data(), sockets[1], memory, parent);
  ::close(sockets[1]);
  if (child < 0) {
    ::close(sockets[0]);
    return absl::ResourceExhaustedError(
        absl::StrCat("a process for a Python worker: ", std::strerror(errno)));
  }
  return absl::WrapUnique(new WorkerProcess(child, sockets[0], wake));
}

WorkerProcess::~WorkerProcess() {
  if (reaped_) return;
  KillGroup(pid_);
  ::waitpid(pid_, nullptr, 0);
}

absl::Status WorkerProcess::Send(absl::string_view line) {
  return control_.Send(line) ? absl::OkStatus() : Ended();
}

absl::StatusOr<std::string> WorkerProcess::Receive(MonotonicTime deadline) {
  // To be woken up takes as long as many a step: whoever answered soon is asked before that.
  const MonotonicTime asked = MonotonicTime::Now();
  while (answers_soon_ && MonotonicTime::Now() - asked < kSoon && !control_.ReadMore(MSG_DONTWAIT))
    ::sched_yield();
  absl::StatusOr<std::string> line = Await(deadline);
  answers_soon_ = MonotonicTime::Now() - asked < 2 * kSoon;
  return line;
}

absl::StatusOr<std::string> WorkerProcess::Await(MonotonicTime deadline) {
  while (true) {
    if (std::optional<std::string> line = control_.TakeLine(); line.has_value())
      return *std::move(line);
    const int64_t left = absl::ToInt64Milliseconds(deadline - MonotonicTime::Now());
    pollfd waits[] = {{.fd = control_.descriptor(), .events = POLLIN},
                      {.fd = wake_->descriptor(), .events = POLLIN}};
    const int ready = ::poll(waits, 2, static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX)));
    if (ready < 0 && errno == EINTR) continue;
    if (waits[1].revents != 0) return absl::CancelledError("the environment was stopped");
    if (ready == 0) return absl::DeadlineExceededError("it did not answer");
    if (!control_.ReadMore()) return Ended();
  }
}

absl::Status WorkerProcess::Ended() {
  if (reaped_) return absl::UnavailableError("it has ended");
  // Killed, if it does not end by itself, having closed its socket.
  const auto process = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  pollfd wait = {.fd = process, .events = POLLIN};
  if (process < 0 || ::poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(kTimeToEnd))) == 0)
    KillGroup(pid_);
  if (process >= 0) ::close(process);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  reaped_ = true;
  if (WIFSIGNALED(status))
    return absl::UnavailableError(absl::StrCat("it was killed by signal ", WTERMSIG(status)));
  return absl::UnavailableError(absl::StrCat("it ended with status ", WEXITSTATUS(status)));
}

}  // namespace cadre
