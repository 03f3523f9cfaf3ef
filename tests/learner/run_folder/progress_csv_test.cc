#include "learner/run_folder/progress_csv.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/file_size_limit.h"
#include "tests/learner/temp_folder.h"

namespace cadre {
namespace {

constexpr char kHeader[] =
    "env_steps,updates,version,episodes,mean_return,mean_length,wall_seconds,steps_per_second,"
    "version_lag,max_version_lag,waiting_share,policy_loss,approx_kl\n";

Progress ProgressAt(int64_t env_steps) {
  Progress progress;
  progress.env_steps = env_steps;
  progress.updates = 2;
  progress.version = 3;
  progress.episodes = 4;
  progress.mean_return = 21.5;
  progress.mean_length = 0.1;
  progress.wall_seconds = 1.0 / 3;
  progress.steps_per_second = 1e6;
  progress.version_lag = 5;
  progress.max_version_lag = 6;
  progress.waiting_share = 0.25;
  progress.diagnostics = {{"policy_loss", -0.5}, {"approx_kl", 1e-9}};
  return progress;
}

std::string RowAt(int64_t env_steps) {
  return absl::StrCat(env_steps, ",2,3,4,21.5,0.1,0.3333333333333333,1e+06,5,6,0.25,-0.5,1e-09\n");
}

// A file with rows at 1000, 2000 and 3000.
std::unique_ptr<ProgressCsv> WriteThreeRows(const std::string& path) {
  auto csv = ProgressCsv::Create(path);
  CADRE_CHECK(csv.ok());
  for (int64_t steps : {1000, 2000, 3000}) CADRE_CHECK((*csv)->Append(ProgressAt(steps)).ok());
  return *std::move(csv);
}

TEST(ProgressCsvTest, WritesAHeaderAndARowForEachReportAtOnce) {
  TempFolder folder;
  auto csv = ProgressCsv::Create(folder / "p.csv");
  ASSERT_TRUE(csv.ok()) << csv.status();
  ASSERT_TRUE((*csv)->Append(ProgressAt(1000)).ok());
  EXPECT_EQ(Slurp(folder / "p.csv"), kHeader + RowAt(1000));
  ASSERT_TRUE((*csv)->Append(ProgressAt(2000)).ok());
  EXPECT_EQ(Slurp(folder / "p.csv"), kHeader + RowAt(1000) + RowAt(2000));
}

TEST(ProgressCsvTest, NumbersReadBackExactly) {
  TempFolder folder;
  auto csv = ProgressCsv::Create(folder / "p.csv");
  Progress progress;  // No episode yet: NaN.
  progress.wall_seconds = 0.1 + 0.2;
  progress.diagnostics = {{"smallest", 5e-324},
                          {"infinite", -std::numeric_limits<double>::infinity()}};
  ASSERT_TRUE((*csv)->Append(progress).ok());
  const std::vector<std::string> lines = absl::StrSplit(Slurp(folder / "p.csv"), '\n');
  EXPECT_EQ(lines[1], "0,0,0,0,nan,nan,0.30000000000000004,0,0,0,0,5e-324,-inf");
}

TEST(ProgressCsvTest, TheFirstReportFixesTheColumns) {
  TempFolder folder;
  auto csv = ProgressCsv::Create(folder / "p.csv");
  ASSERT_TRUE((*csv)->Append(ProgressAt(1000)).ok());
  Progress other = ProgressAt(2000);
  other.diagnostics = {{"new", 1}, {"approx_kl", 7}};
  ASSERT_TRUE((*csv)->Append(other).ok());
  const std::vector<std::string> lines = absl::StrSplit(Slurp(folder / "p.csv"), '\n');
  EXPECT_EQ(lines[2], "2000,2,3,4,21.5,0.1,0.3333333333333333,1e+06,5,6,0.25,nan,7");
}

TEST(ProgressCsvTest, ResumingDropsLaterRowsAndGoesOn) {
  TempFolder folder;
  WriteThreeRows(folder / "p.csv");
  auto csv = ProgressCsv::Resume(folder / "p.csv", 2000);
  ASSERT_TRUE(csv.ok()) << csv.status();
  EXPECT_EQ(Slurp(folder / "p.csv"), kHeader + RowAt(1000) + RowAt(2000));
  ASSERT_TRUE((*csv)->Append(ProgressAt(2500)).ok());
  EXPECT_EQ(Slurp(folder / "p.csv"), kHeader + RowAt(1000) + RowAt(2000) + RowAt(2500));
}

// As runs of before a diagnostic was reported, or of before their first update.
TEST(ProgressCsvTest, AResumedFileGetsTheColumnsThatItLacks) {
  TempFolder folder;
  WriteThreeRows(folder / "p.csv");
  auto csv = ProgressCsv::Resume(folder / "p.csv", 2000);
  ASSERT_TRUE(csv.ok()) << csv.status();
  Progress more = ProgressAt(2500);
  more.diagnostics = {{"approx_kl", 1e-9}, {"kl", 0.5}, {"policy_loss", -0.5}, {"kl_beta", 2}};
  ASSERT_TRUE((*csv)->Append(more).ok());
  ASSERT_TRUE((*csv)->Append(ProgressAt(2600)).ok());
  const std::vector<std::string> lines = absl::StrSplit(Slurp(folder / "p.csv"), '\n');
  const auto without_end = [](const std::string& row) { return row.substr(0, row.size() - 1); };
  EXPECT_THAT(lines, testing::ElementsAre(without_end(kHeader) + ",kl,kl_beta",
                                          without_end(RowAt(1000)) + ",nan,nan",
                                          without_end(RowAt(2000)) + ",nan,nan",
                                          without_end(RowAt(2500)) + ",0.5,2",
                                          without_end(RowAt(2600)) + ",nan,nan", ""));
}

TEST(ProgressCsvTest, ResumingBeforeTheFirstRowKeepsTheHeaderOnly) {
  TempFolder folder;
  WriteThreeRows(folder / "p.csv");
  auto csv = ProgressCsv::Resume(folder / "p.csv", 0);
  ASSERT_TRUE((*csv)->Append(ProgressAt(500)).ok());
  EXPECT_EQ(Slurp(folder / "p.csv"), kHeader + RowAt(500));
}

// A row of which a crash left the beginning may look whole: "1000,2,...,1e-0".
TEST(ProgressCsvTest, ResumingDropsWhatACrashCutOff) {
  TempFolder folder;
  WriteThreeRows(folder / "p.csv");
  const std::string whole = Slurp(folder / "p.csv");
  for (size_t cut = 1; cut <= RowAt(3000).size(); ++cut) {
    Spill(folder / "p.csv", whole.substr(0, whole.size() - cut));
    auto csv = ProgressCsv::Resume(folder / "p.csv", 9000);
    ASSERT_TRUE((*csv)->Append(ProgressAt(4000)).ok());
    ASSERT_EQ(Slurp(folder / "p.csv"), kHeader + RowAt(1000) + RowAt(2000) + RowAt(4000)) << cut;
  }
}

TEST(ProgressCsvTest, ResumingDropsARowThatLacksCells) {
  TempFolder folder;
  WriteThreeRows(folder / "p.csv");
  const std::string whole = Slurp(folder / "p.csv");
  Spill(folder / "p.csv", whole + "3500,2,3\n");
  ASSERT_TRUE(ProgressCsv::Resume(folder / "p.csv", 9000).ok());
  EXPECT_EQ(Slurp(folder / "p.csv"), whole);
}

TEST(ProgressCsvTest, ResumingWhereThereIsNoFileOrNoRowStartsOne) {
  TempFolder folder;
  for (const char* name : {"none.csv", "empty.csv", "cut.csv"}) {
    if (std::string(name) == "empty.csv") Spill(folder / name, "");
    if (std::string(name) == "cut.csv") Spill(folder / name, "env_steps,upd");
    auto csv = ProgressCsv::Resume(folder / name, 1000);
    ASSERT_TRUE(csv.ok()) << csv.status();
    ASSERT_TRUE((*csv)->Append(ProgressAt(1500)).ok());
    EXPECT_EQ(Slurp(folder / name), kHeader + RowAt(1500));
  }
}

TEST(ProgressCsvTest, ResumingSomeOtherFileIsAnErrorAndLeavesIt) {
  TempFolder folder;
  Spill(folder / "p.csv", "time,loss\n1,2\n");
  EXPECT_EQ(ProgressCsv::Resume(folder / "p.csv", 1000).status(),
            absl::DataLossError(absl::StrCat("'", folder / "p.csv",
                                             "': the first column is 'time'; wanted 'env_steps'")));
  EXPECT_EQ(Slurp(folder / "p.csv"), "time,loss\n1,2\n");
}

TEST(ProgressCsvTest, AFullDiskIsAnErrorAndLeavesWholeRows) {
  TempFolder folder;
  auto csv = WriteThreeRows(folder / "p.csv");
  const std::string before = Slurp(folder / "p.csv");
  {
    FileSizeLimit limit(before.size() + 10);
    const absl::Status status = csv->Append(ProgressAt(4000));
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(folder / "p.csv"));
  }
  EXPECT_EQ(Slurp(folder / "p.csv"), before);
  ASSERT_TRUE(csv->Append(ProgressAt(4000)).ok());
  EXPECT_EQ(Slurp(folder / "p.csv"), before + RowAt(4000));
}

}  // namespace
}  // namespace cadre
