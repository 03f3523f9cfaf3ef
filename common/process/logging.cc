#include "common/process/logging.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

constexpr std::pair<absl::string_view, spdlog::level::level_enum> kLevels[] = {
    {"trace", spdlog::level::trace}, {"debug", spdlog::level::debug},
    {"info", spdlog::level::info},   {"warning", spdlog::level::warn},
    {"error", spdlog::level::err},   {"off", spdlog::level::off},
};

}  // namespace

absl::Status SetUpLogging(absl::string_view process, absl::string_view level) {
  std::string source = "log level";
  if (level.empty()) {
    const char* variable = std::getenv("CADRE_LOG_LEVEL");
    if (variable != nullptr && *variable != '\0') source = "CADRE_LOG_LEVEL";
    level = source == "log level" ? "info" : variable;
  }
  for (const auto& [name, value] : kLevels) {
    if (name != level) continue;
    auto logger = std::make_shared<spdlog::logger>(
        std::string(process), std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%H:%M:%S.%e %L [%n] %v");
    logger->set_level(value);
    logger->flush_on(spdlog::level::warn);
    spdlog::set_default_logger(std::move(logger));
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      source, ": got '", level, "'; wanted one of trace, debug, info, warning, error, off"));
}

}  // namespace cadre
