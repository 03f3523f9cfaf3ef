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

TEST(StatusTest, ARefusalForNowIsTransient) {
  const grpc::Status there = RefusedForNow(absl::ResourceExhaustedError("no room"));
  EXPECT_EQ(there.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(there.error_message(), "no room");
  // google.rpc.Status{code: 8, message: "no room", details: an Any}.
  EXPECT_EQ(there.error_details().substr(0, 12), std::string("\x08\x08\x12\x07no room\x1a"));
  EXPECT_TRUE(IsTransient(FromGrpcStatus(there, "a server")));
  EXPECT_FALSE(IsTransient(absl::ResourceExhaustedError("no room")));
}

}  // namespace
}  // namespace cadre
