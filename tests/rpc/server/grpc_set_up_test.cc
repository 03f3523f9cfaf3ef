#include "rpc/server/grpc_set_up.h"

#include "grpc/support/log.h"
#include "gtest/gtest.h"
#include "tests/log_capture.h"

namespace cadre {
namespace {

TEST(GrpcSetUpTest, ErrorsOfGrpcBecomeOneWarningFromEachPlace) {
  const LogCapture log;
  ASSERT_EQ(SetUpGrpc(), absl::OkStatus());
  for (int i = 0; i < 3; ++i) gpr_log(GPR_ERROR, "Failed accept4: number %d", i);
  gpr_log(GPR_ERROR, "another");
  EXPECT_EQ(log.text(), "warning gRPC: Failed accept4: number 0\nwarning gRPC: another\n");
}

}  // namespace
}  // namespace cadre
