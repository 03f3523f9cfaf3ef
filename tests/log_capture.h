// What is logged while it lives, instead of on stderr: a line "level message" each.
#pragma once

#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"

namespace cadre {

class LogCapture {
 public:
  LogCapture() : former_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(std::move(logger));
  }
  ~LogCapture() { spdlog::set_default_logger(former_); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  // While no other thread logs.
  std::string text() const { return text_.str(); }

 private:
  const std::shared_ptr<spdlog::logger> former_;
  std::ostringstream text_;
};

}  // namespace cadre
