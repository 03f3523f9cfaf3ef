#include "replay_server/service/stream_log.h"

#include <algorithm>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/log_capture.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

// What is logged meanwhile.
std::string LogOf(const std::function<void(StreamLog&)>& run) {
  const LogCapture capture;
  StreamLog log;
  run(log);
  return capture.text();
}

int64_t LinesOf(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

TEST(StreamLogTest, ManyRefusalsOfAWriterAreTwoLines) {
  const std::string lines = LogOf([](StreamLog& log) {
    for (int i = 0; i < 62'026; ++i)
      log.Refused(255, "actor-3", absl::StrCat("column 'reward', row ", i, " is nan"));
    log.StreamEnded(255, "actor-3");
    log.StreamEnded(255, "actor-3");
  });
  EXPECT_EQ(LinesOf(lines), 2) << lines;
  EXPECT_THAT(lines,
              HasSubstr("refused a rollout of actor-3 (ff): column 'reward', row 0 is nan\n"));
  EXPECT_THAT(lines, HasSubstr("(62025 times since it was last logged)"));
}

TEST(StreamLogTest, AClientThatOpensStreamsInALoopIsALine) {
  const std::string lines = LogOf([](StreamLog& log) {
    for (int i = 0; i < 10'000; ++i)
      log.Info("actor-3", "writes to 'replay'", absl::StrCat(" as ", absl::Hex(7919 * i)));
    log.Info("actor-4", "writes to 'replay'", " as 2a");
  });
  EXPECT_EQ(LinesOf(lines), 2) << lines;
  EXPECT_THAT(lines, HasSubstr("actor-3 writes to 'replay' as 0\n"));
  EXPECT_THAT(lines, HasSubstr("actor-4 writes to 'replay' as 2a\n"));
}

TEST(StreamLogTest, ClientsWithAnotherNameOrIdEachTimeAreNoFlood) {
  const std::string lines = LogOf([](StreamLog& log) {
    for (uint64_t i = 1; i < 10'000; ++i) {
      const std::string name = absl::StrCat("x", absl::Hex(7919 * i));
      log.Info(name, "writes to 'replay'");
      for (int refusal = 0; refusal < 3; ++refusal) log.Refused(i, name, "it is bad");
      log.StreamEnded(i, name);
    }
  });
  EXPECT_LT(LinesOf(lines), 4 * static_cast<int64_t>(RepeatedEvents::kMostSources));
}

}  // namespace
}  // namespace cadre
