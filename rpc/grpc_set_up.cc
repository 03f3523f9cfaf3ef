#include "rpc/grpc_log.h"

#include <cstdlib>

#include "grpc/support/log.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

void ToDebugLine(gpr_log_func_args* line) { spdlog::debug("gRPC: {}", line->message); }

}  // namespace

void RouteGrpcLog() {
  static const bool routed = [] {
    if (std::getenv("GRPC_VERBOSITY") != nullptr) return false;
    gpr_set_log_function(&ToDebugLine);
    return true;
  }();
  static_cast<void>(routed);
}

}  // namespace cadre
