#include "learner/run_folder/non_finite_updates.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/temp_folder.h"

namespace cadre {
namespace {

TEST(NonFiniteUpdatesTest, ThereAreNoneInANewFolder) {
  const TempFolder folder;
  EXPECT_EQ(ReadNonFiniteUpdates(folder.path())->count, 0);
}

TEST(NonFiniteUpdatesTest, EachIsARow) {
  const TempFolder folder;
  ASSERT_TRUE(RecordNonFiniteUpdate(folder.path(), 1024, absl::FromUnixMillis(1700000000250)).ok());
  ASSERT_TRUE(RecordNonFiniteUpdate(folder.path(), 512, absl::FromUnixSeconds(1700000100)).ok());
  EXPECT_EQ(Slurp(folder / "non_finite_updates.csv"),
            "unix_seconds,env_steps\n1700000000.250,1024\n1700000100.000,512\n");
  EXPECT_EQ(ReadNonFiniteUpdates(folder.path())->count, 2);
  EXPECT_EQ(ReadNonFiniteUpdates(folder.path())->last, absl::FromUnixSeconds(1700000100));
}

TEST(NonFiniteUpdatesTest, ADamagedFileIsDataLoss) {
  const TempFolder folder;
  ASSERT_TRUE(RecordNonFiniteUpdate(folder.path(), 1024, absl::FromUnixSeconds(1)).ok());
  std::ofstream(folder / "non_finite_updates.csv", std::ios::app) << "x\n";
  const absl::Status status = ReadNonFiniteUpdates(folder.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("row 2 is 'x'; wanted"));
}

}  // namespace
}  // namespace cadre
