#include "cli/child_process.h"

#include <signal.h>
#include <sys/prctl.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/process/shutdown.h"
#include "common/process/stop_answer.h"

namespace cadre {
namespace {

// As exec wants them. The strings must outlive it.
std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Ours, but for where to answer a stop: -1, nowhere.
std::vector<std::string> EnvironmentOfChild(int answers) {
  const std::string prefix = absl::StrCat(kStopPipe, "=");
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!absl::StartsWith(*variable, prefix)) variables.emplace_back(*variable);
  if (answers >= 0) variables.push_back(absl::StrCat(prefix, answers));
  return variables;
}

// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void Exec(char* const* arguments, char* const* environment, int output, int answers,
                       int log, pid_t supervisor) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);           // Ends with its supervisor,
  if (::getppid() != supervisor) ::_exit(127);  // which may be gone already.
  ::setpgid(0, 0);                              // Ctrl-C is the supervisor's to handle.
  ShutdownSignal::UnblockSignalsInChild();
  if (output >= 0) ::dup2(output, STDOUT_FILENO);
  if (log >= 0) ::dup2(log, STDERR_FILENO);
  if (answers >= 0) ::fcntl(answers, F_SETFD, 0);  // It outlives exec.
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

}  // namespace

pid_t StartChild(const std::vector<std::string>& command, int output, int answers, int log) {
  const std::vector<std::string> environment = EnvironmentOfChild(answers);
  const std::vector<char*> arguments = Pointers(command);
  const std::vector<char*> variables = Pointers(environment);
  const pid_t supervisor = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) Exec(arguments.data(), variables.data(), output, answers, log, supervisor);
  return child;
}

}  // namespace cadre
