#include "learner/run_folder/progress_json.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// Every field different from its default and from the others.
Progress Example() {
  Progress progress;
  progress.env_steps = int64_t{1} << 53;
  progress.updates = 2;
  progress.version = 3;
  progress.episodes = 4;
  progress.mean_return = 1.0 / 3;
  progress.mean_length = 6.5;
  progress.wall_seconds = 7.25;
  progress.steps_per_second = 1e5;
  progress.version_lag = 8;
  progress.max_version_lag = 9;
  progress.waiting_share = 0.75;
  progress.diagnostics = {{"value_loss", -0.1}, {"approx_kl", 1e-12}};
  return progress;
}

TEST(ProgressJsonTest, ReadsBackWhatItWrote) {
  const std::string line = ProgressToJson(Example());
  EXPECT_THAT(line, testing::Not(HasSubstr("\n")));
  const absl::StatusOr<Progress> read = ProgressFromJson(line);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->env_steps, int64_t{1} << 53);
  EXPECT_EQ(read->updates, 2);
  EXPECT_EQ(read->version, 3);
  EXPECT_EQ(read->episodes, 4);
  EXPECT_EQ(read->mean_return, 1.0 / 3);
  EXPECT_EQ(read->mean_length, 6.5);
  EXPECT_EQ(read->wall_seconds, 7.25);
  EXPECT_EQ(read->steps_per_second, 1e5);
  EXPECT_EQ(read->version_lag, 8);
  EXPECT_EQ(read->max_version_lag, 9);
  EXPECT_EQ(read->waiting_share, 0.75);
  EXPECT_THAT(read->diagnostics, ElementsAre(Pair("value_loss", -0.1), Pair("approx_kl", 1e-12)));
}

TEST(ProgressJsonTest, WhatIsNotFiniteIsNullAndReadsBackAsNan) {
  Progress progress;  // No episodes yet: the means are NaN.
  progress.diagnostics = {{"policy_loss", INFINITY}};
  const std::string line = ProgressToJson(progress);
  EXPECT_THAT(line, HasSubstr("\"mean_return\":null"));
  const absl::StatusOr<Progress> read = ProgressFromJson(line);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(std::isnan(read->mean_return));
  EXPECT_TRUE(std::isnan(read->diagnostics.at(0).second));
}

TEST(ProgressJsonTest, RefusesWhatItCannotHaveWritten) {
  for (const std::string line : {"", "solved", "[]", "{}", "{\"env_steps\":1}"}) {
    const absl::Status status = ProgressFromJson(line).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << line << ": " << status;
    EXPECT_THAT(status.message(), HasSubstr("not a progress line")) << line;
  }
  std::string line = ProgressToJson(Example());
  line.replace(line.find("\"updates\":2"), 11, "\"updates\":\"2\"");
  EXPECT_THAT(ProgressFromJson(line).status().message(), HasSubstr("(updates)"));
  line = ProgressToJson(Example());
  line.pop_back();
  EXPECT_THAT(ProgressFromJson(line).status().message(), HasSubstr("no JSON object"));
}

}  // namespace
}  // namespace cadre
