// Command lines, with the exit codes of common/exit_code.h. For mains only.
#pragma once

#include <optional>

#include "CLI/CLI.hpp"
#include "common/exit_code.h"

namespace cadre {

// Nothing: go on. Else the status to exit with: 0 after --help, 2 where the command
// line is wrong, which one line on stderr has said.
inline std::optional<int> ParseFlags(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return ReportAndExitCode(absl::InvalidArgumentError(error.what()), app.get_name());
  }
  return std::nullopt;
}

}  // namespace cadre
