#include "common/process/exit_code.h"

#include <string>

#include "gtest/gtest.h"

namespace cadre {
namespace {

TEST(ExitCodeTest, FollowsTheTable) {
  EXPECT_EQ(ExitCode(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCode(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCode(absl::NotFoundError("")), 2);
  EXPECT_EQ(ExitCode(absl::UnavailableError("")), 3);
  EXPECT_EQ(ExitCode(absl::DeadlineExceededError("")), 3);
  EXPECT_EQ(ExitCode(absl::FailedPreconditionError("")), 4);
  EXPECT_EQ(ExitCode(absl::DataLossError("")), 5);
  EXPECT_EQ(ExitCode(absl::PermissionDeniedError("")), 6);
  EXPECT_EQ(ExitCode(absl::ResourceExhaustedError("")), 6);
  EXPECT_EQ(ExitCode(absl::AbortedError("")), 7);
  EXPECT_EQ(ExitCode(absl::CancelledError("")), 130);
  EXPECT_EQ(ExitCode(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCode(absl::UnknownError("")), 1);
}

// What ReportAndExitCode prints.
std::string Report(const absl::Status& status, int code) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(ReportAndExitCode(status, "cadre_actor"), code);
  return testing::internal::GetCapturedStderr();
}

TEST(ExitCodeTest, PrintsOneLineForEachProblem) {
  EXPECT_EQ(Report(absl::OkStatus(), 0), "");
  EXPECT_EQ(Report(absl::UnavailableError("no server at 'a:1'"), 3),
            "cadre_actor: error: no server at 'a:1'\n");
  EXPECT_EQ(Report(absl::InvalidArgumentError("first\nsecond"), 2),
            "cadre_actor: error: first\ncadre_actor: error: second\n");
  EXPECT_EQ(Report(absl::InternalError(""), 1), "cadre_actor: error: INTERNAL\n");
}

}  // namespace
}  // namespace cadre
