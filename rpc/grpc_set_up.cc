#include "rpc/grpc_set_up.h"

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/log_throttle.h"
#include "grpc/support/log.h"
#include "rpc/freed_memory.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// May be called with locks of gRPC held, so it calls nothing of gRPC.
void ToOurLog(gpr_log_func_args* line) {
  static auto* const throttle = new LogThrottle;  // gRPC's threads may outlive statics.
  const std::string place = absl::StrCat(line->file, ":", line->line);
  if (const auto left_out = throttle->Admit(place, LogThrottle::Clock::now()))
    spdlog::warn("gRPC: {}{}", line->message, LogThrottle::Others(*left_out));
}

bool SetUp() {
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "200", /*overwrite=*/0);
  if (std::getenv("GRPC_VERBOSITY") == nullptr) {
    gpr_set_log_function(&ToOurLog);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);  // Its default depends on how it was built.
  }
  KeepFreedMemory();
  return true;
}

}  // namespace

void SetUpGrpc() {
  static const bool set_up = SetUp();
  static_cast<void>(set_up);
}

}  // namespace cadre
