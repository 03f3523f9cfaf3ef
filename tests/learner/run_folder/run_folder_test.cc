#include "learner/run_folder/run_folder.h"

#include <filesystem>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/temp_folder.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::StartsWith;
using testing::UnorderedElementsAre;

ExperimentConfig SomeConfig() {
  ExperimentConfig config;
  config.set_name("ppo-cartpole");
  config.mutable_environment()->set_id("CartPole-v1");
  config.set_seed(7);
  return config;
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

Progress ProgressAt(int64_t env_steps) {
  Progress progress;
  progress.env_steps = env_steps;
  return progress;
}

TEST(RunFolderTest, TakesTheFirstFreeNumber) {
  TempFolder temp;
  const std::string runs = temp / "a/runs";
  for (int n = 1; n <= 3; ++n) {
    auto run = RunFolder::Create(SomeConfig(), "", runs);
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ((*run)->path(), absl::StrCat(runs, "/ppo-cartpole-seed7-", n));
    ASSERT_TRUE((*run)->Begin(SomeConfig(), SomeConfig()).ok());
  }
}

TEST(RunFolderTest, AnExperimentsNameCannotLeaveTheFolder) {
  TempFolder temp;
  ExperimentConfig config = SomeConfig();
  for (const auto& [name, wanted] :
       {std::pair("../../x y", "run.._.._x_y"), std::pair("", "run"), std::pair(".", "run.")}) {
    config.set_name(name);
    auto run = RunFolder::Create(config, "", temp / "runs");
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ((*run)->path(), absl::StrCat(temp / "runs", "/", wanted, "-seed7-1"));
  }
}

TEST(RunFolderTest, HoldsWhatThePageSays) {
  TempFolder temp;
  auto run = RunFolder::Create(SomeConfig(), temp / "out");
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_TRUE((*run)->Begin(SomeConfig(), SomeConfig()).ok());
  ASSERT_TRUE((*run)->Report(ProgressAt(1000)).ok());
  ASSERT_TRUE((*run)->WriteSummary(Summary()).ok());
  EXPECT_THAT(
      NamesIn(temp / "out"),
      UnorderedElementsAre("config.textproto", "resolved.textproto", "progress.csv", "summary.json",
                           "run.lock", "writer.lock", StartsWith("events.out.tfevents.")));
  const auto config = LoadConfig(ConfigPath(temp / "out"), {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->SerializeAsString(), SomeConfig().SerializeAsString());
}

TEST(RunFolderTest, RefusesAFolderThatHoldsARun) {
  TempFolder temp;
  ASSERT_TRUE(
      (*RunFolder::Create(SomeConfig(), temp / "x"))->Begin(SomeConfig(), SomeConfig()).ok());
  EXPECT_EQ(RunFolder::Create(SomeConfig(), temp / "x").status(),
            absl::AlreadyExistsError(absl::StrCat("run folder '", temp / "x",
                                                  "' already holds a run; resume it with --resume ",
                                                  temp / "x", " or choose another --out")));
}

TEST(RunFolderTest, LeavesOtherFilesInTheFolderAlone) {
  TempFolder temp;
  Spill(temp / "notes.txt", "mine");
  ASSERT_TRUE(
      (*RunFolder::Create(SomeConfig(), temp.path()))->Begin(SomeConfig(), SomeConfig()).ok());
  EXPECT_EQ(Slurp(temp / "notes.txt"), "mine");
}

TEST(RunFolderTest, AFileInThePlaceOfTheFolderIsAnError) {
  TempFolder temp;
  Spill(temp / "x", "mine");
  EXPECT_FALSE(RunFolder::Create(SomeConfig(), temp / "x").ok());
  EXPECT_FALSE(RunFolder::Create(SomeConfig(), "", temp / "x").ok());
  EXPECT_EQ(Slurp(temp / "x"), "mine");
}

TEST(RunFolderTest, ResumesWithoutDoublingASteps) {
  TempFolder temp;
  {
    auto run = RunFolder::Create(SomeConfig(), temp / "x");
    ASSERT_TRUE((*run)->Begin(SomeConfig(), SomeConfig()).ok());
    for (int64_t steps : {1000, 2000, 3000}) ASSERT_TRUE((*run)->Report(ProgressAt(steps)).ok());
  }
  ExperimentConfig config = SomeConfig();
  config.set_seed(8);
  {
    auto run = RunFolder::Resume(temp / "x");
    ASSERT_TRUE(run.ok()) << run.status();
    ASSERT_TRUE((*run)->Begin(config, config, 2000).ok());
    for (int64_t steps : {3000, 4000}) ASSERT_TRUE((*run)->Report(ProgressAt(steps)).ok());
  }
  std::vector<std::string> steps;
  for (absl::string_view line : absl::StrSplit(Slurp(temp / "x/progress.csv"), '\n')) {
    steps.emplace_back(line.substr(0, line.find(',')));
  }
  EXPECT_THAT(steps, ElementsAre("env_steps", "1000", "2000", "3000", "4000", ""));
  EXPECT_EQ(LoadConfig(ConfigPath(temp / "x"), {})->seed(), 8);
}

TEST(RunFolderTest, ResumingNothingIsAnError) {
  TempFolder temp;
  EXPECT_EQ(RunFolder::Resume(temp / "x").status(),
            absl::NotFoundError(absl::StrCat("there is no run in folder '", temp / "x", "'")));
  EXPECT_FALSE(std::filesystem::exists(temp / "x"));
}

TEST(RunFolderTest, WhatNeverBeginsLeavesNothingBehind) {
  TempFolder temp;
  Spill(temp / "mine", "mine");
  ASSERT_TRUE(RunFolder::Create(SomeConfig(), temp / "x").ok());
  ASSERT_TRUE(RunFolder::Create(SomeConfig(), temp.path()).ok());
  ASSERT_TRUE(RunFolder::Create(SomeConfig(), "", temp.path()).ok());
  EXPECT_THAT(NamesIn(temp.path()), ElementsAre("mine"));

  ASSERT_TRUE(
      (*RunFolder::Create(SomeConfig(), temp / "x"))->Begin(SomeConfig(), SomeConfig()).ok());
  const auto before = Contents(temp / "x");
  ASSERT_TRUE(RunFolder::Resume(temp / "x").ok());
  EXPECT_EQ(Contents(temp / "x"), before);
  Spill(temp / "x/progress.csv", "a,b\n");
  const auto damaged = Contents(temp / "x");
  EXPECT_EQ(RunFolder::Resume(temp / "x").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Contents(temp / "x"), damaged);
}

TEST(RunFolderTest, TheSummaryHasItsKeysInOrder) {
  Summary summary;
  summary.algorithm = "ppo";
  summary.environment = "CartPole-v1";
  summary.seed = std::numeric_limits<uint64_t>::max();
  summary.env_steps = 150000;
  summary.updates = 36;
  summary.wall_seconds = 2.5;
  summary.steps_per_second = 60000;
  summary.mean_return = 480.25;
  summary.solved = true;
  summary.max_version_lag = 1;
  EXPECT_EQ(SummaryJson(summary), R"({
  "algorithm": "ppo",
  "environment": "CartPole-v1",
  "seed": 18446744073709551615,
  "env_steps": 150000,
  "updates": 36,
  "wall_seconds": 2.5,
  "steps_per_second": 60000.0,
  "mean_return": 480.25,
  "solved": true,
  "max_version_lag": 1
}
)");
}

TEST(RunFolderTest, TheSummaryHasNoNaNAndAnEvaluationOnlyIfThereWasOne) {
  Summary summary;
  summary.mean_return = std::numeric_limits<double>::quiet_NaN();
  summary.evaluation =
      Summary::Evaluation{500, std::numeric_limits<double>::infinity(), 100, 4096, 480.5};
  summary.last_evaluation = Summary::Evaluation{470, 12, 100, 8192};
  const std::string json = SummaryJson(summary);
  EXPECT_THAT(json, testing::HasSubstr("\"mean_return\": null,\n  \"solved\""));
  EXPECT_THAT(json, testing::HasSubstr(R"(  "evaluation": {
    "mean_return": 500.0,
    "std_return": null,
    "episodes": 100,
    "env_steps": 4096,
    "first_mean_return": 480.5
  },
  "last_evaluation": {
    "mean_return": 470.0,
    "std_return": 12.0,
    "episodes": 100,
    "env_steps": 8192
  })"));
}

}  // namespace
}  // namespace cadre
