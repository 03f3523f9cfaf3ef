// Starts threads. std::thread throws where the process may not have another, which on most
// threads ends the process in the middle of its work; scripts/check-threads.py finds those that
// are started in another way. Thread-safe.
#pragma once

#include <string>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace cadre {

// `name`: of the thread, for debuggers (15 characters at most), and for the message. Returns
// RESOURCE_EXHAUSTED where the process may not have another thread now, and `run` is destroyed.
absl::StatusOr<std::thread> StartThread(std::string name, absl::AnyInvocable<void()> run);

// For what a process cannot begin without: ends it with one line and the exit code of such an
// error (exit_code.h). Before the process has anything to lose.
std::thread StartThreadOrExit(std::string name, absl::AnyInvocable<void()> run);

}  // namespace cadre
