#include "common/process/start_thread.h"

#include <errno.h>
#include <pthread.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/process/exit_code.h"

namespace cadre {
namespace {

absl::Status CannotStart(const std::string& name, int error) {
  // Of too many threads the kernel says no more than "try again".
  return absl::ResourceExhaustedError(
      absl::StrCat("cannot start a thread for ", name, ": ",
                   error == EAGAIN ? "the limit of threads (ulimit -u, cgroup pids.max) is reached"
                                   : std::strerror(error)));
}

}  // namespace

absl::StatusOr<std::thread> StartThread(std::string name, absl::AnyInvocable<void()> run) {
  try {
    return std::thread([name, run = std::move(run)]() mutable {
      pthread_setname_np(pthread_self(), name.c_str());
      std::move(run)();
    });
  } catch (const std::system_error& error) {
    return CannotStart(name, error.code().value());
  }
}

std::thread StartThreadOrExit(std::string name, absl::AnyInvocable<void()> run) {
  absl::StatusOr<std::thread> thread = StartThread(std::move(name), std::move(run));
  if (!thread.ok()) std::_Exit(ReportAndExitCode(thread.status(), program_invocation_short_name));
  return *std::move(thread);
}

}  // namespace cadre
