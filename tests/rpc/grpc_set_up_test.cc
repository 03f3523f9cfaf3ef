#include "rpc/grpc_set_up.h"

#include <memory>
#include <sstream>

#include "grpc/support/log.h"
#include "gtest/gtest.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

TEST(GrpcSetUpTest, ErrorsOfGrpcBecomeOneWarningFromEachPlace) {
  std::ostringstream log;
  auto logger = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log));
  logger->set_pattern("%l %v");
  spdlog::set_default_logger(logger);
  SetUpGrpc();
  for (int i = 0; i < 3; ++i) gpr_log(GPR_ERROR, "Failed accept4: number %d", i);
  gpr_log(GPR_ERROR, "another");
  EXPECT_EQ(log.str(), "warning gRPC: Failed accept4: number 0\nwarning gRPC: another\n");
}

}  // namespace
}  // namespace cadre
