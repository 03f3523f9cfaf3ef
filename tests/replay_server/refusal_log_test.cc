#include "replay_server/refusal_log.h"

#include <algorithm>
#include <memory>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

TEST(RefusalLogTest, ManyRefusalsOfAWriterAreTwoLines) {
  std::ostringstream text;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)));
  {
    RefusalLog log;
    for (int i = 0; i < 62'026; ++i)
      log.Refused(255, "actor-3", "column 'reward', row " + std::to_string(i) + " is nan");
    log.StreamEnded(255, "actor-3");
    log.StreamEnded(255, "actor-3");
  }
  spdlog::set_default_logger(before);
  const std::string lines = text.str();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2) << lines;
  EXPECT_THAT(lines, testing::HasSubstr("refused a rollout of actor-3 (ff): column 'reward', row "
                                        "0 is nan\n"));
  EXPECT_THAT(lines, testing::HasSubstr("(62025 times since it was last logged)"));
}

}  // namespace
}  // namespace cadre
