#include "common/process/logging.h"

#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

using ::testing::MatchesRegex;

std::string LogAtEachLevel() {
  testing::internal::CaptureStderr();
  spdlog::debug("fine");
  spdlog::info("said {}", 3);
  spdlog::error("bad");
  spdlog::default_logger()->flush();
  return testing::internal::GetCapturedStderr();
}

TEST(LoggingTest, WritesTimeLevelAndProcess) {
  unsetenv("CADRE_LOG_LEVEL");
  ASSERT_EQ(SetUpLogging("replay"), absl::OkStatus());
  const std::string time = "[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]";
  EXPECT_THAT(LogAtEachLevel(),
              MatchesRegex(time + " I .replay. said 3\n" + time + " E .replay. bad\n"));
}

TEST(LoggingTest, TheFlagComesBeforeTheVariable) {
  setenv("CADRE_LOG_LEVEL", "off", 1);
  ASSERT_EQ(SetUpLogging("x"), absl::OkStatus());
  EXPECT_EQ(LogAtEachLevel(), "");
  ASSERT_EQ(SetUpLogging("x", "error"), absl::OkStatus());
  EXPECT_THAT(LogAtEachLevel(), MatchesRegex(".* E .x. bad\n"));
  unsetenv("CADRE_LOG_LEVEL");
}

TEST(LoggingTest, SaysWhichLevelsThereAre) {
  unsetenv("CADRE_LOG_LEVEL");
  EXPECT_EQ(SetUpLogging("x", "loud").message(),
            "log level: got 'loud'; wanted one of trace, debug, info, warning, error, off");
  setenv("CADRE_LOG_LEVEL", "loud", 1);
  EXPECT_EQ(SetUpLogging("x").message(),
            "CADRE_LOG_LEVEL: got 'loud'; wanted one of trace, debug, info, warning, error, off");
  unsetenv("CADRE_LOG_LEVEL");
}

}  // namespace
}  // namespace cadre
