#include "rpc/status.h"

#include <gtest/gtest.h>

namespace cadre {
namespace {

TEST(StatusTest, ThePeerStandsBeforeTheMessage) {
  const absl::Status status =
      FromGrpcStatus(grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "run id differs"),
                     "replay server at a:1");
  EXPECT_EQ(status, absl::FailedPreconditionError("replay server at a:1: run id differs"));
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK, "replay server at a:1").ok());
}

TEST(StatusTest, EveryCodeComesBackAsItWas) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");
    const grpc::Status there = ToGrpcStatus(status);
    EXPECT_EQ(static_cast<int>(there.error_code()), code);
    EXPECT_EQ(FromGrpcStatus(there, "x").code(), status.code());
  }
}

TEST(StatusTest, RefusalsAreNotTransient) {
  EXPECT_TRUE(IsTransient(absl::UnavailableError("")));
  EXPECT_TRUE(IsTransient(absl::DeadlineExceededError("")));
  EXPECT_FALSE(IsTransient(absl::FailedPreconditionError("")));
  EXPECT_FALSE(IsTransient(absl::InvalidArgumentError("")));
  EXPECT_FALSE(IsTransient(absl::OkStatus()));
}

}  // namespace
}  // namespace cadre
