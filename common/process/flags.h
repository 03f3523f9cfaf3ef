// The two ends of a main: its command line, and its exit code by common/process/exit_code.h.
#pragma once

#include <exception>
#include <optional>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/process/descriptors.h"
#include "common/process/exit_code.h"

namespace cadre {

// Nothing: go on. Else the status to exit with: 0 after --help, 2 where the command
// line is wrong, which one line on stderr has said. As every main begins here, it also raises
// the limit of file descriptors (descriptors.h).
inline std::optional<int> ParseFlags(CLI::App& app, int argc, char** argv) {
  RaiseDescriptorLimit();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return ReportAndExitCode(absl::InvalidArgumentError(error.what()), app.get_name());
  }
  return std::nullopt;
}

// Runs `body` and reports what it returns, or throws: libraries may throw, we do not.
template <typename Body>
int RunMain(absl::string_view program, Body body) {
  absl::Status status;
  try {
    status = body();
  } catch (const std::exception& error) {
    status = absl::InternalError(error.what());
  }
  return ReportAndExitCode(status, program);
}

}  // namespace cadre
