#include "rpc/grpc_set_up.h"

#include <cstdlib>

#include "grpc/support/log.h"
#include "rpc/freed_memory.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

void ToDebugLine(gpr_log_func_args* line) { spdlog::debug("gRPC: {}", line->message); }

bool SetUp() {
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "200", /*overwrite=*/0);
  if (std::getenv("GRPC_VERBOSITY") == nullptr) gpr_set_log_function(&ToDebugLine);
  KeepFreedMemory();
  return true;
}

}  // namespace

void SetUpGrpc() {
  static const bool set_up = SetUp();
  static_cast<void>(set_up);
}

}  // namespace cadre
