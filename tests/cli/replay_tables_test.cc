#include "cli/replay_tables.h"

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/run_folder/checkpoint.h"
#include "replay_server/storage/table_checkpoint.h"
#include "tests/learner/temp_folder.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TableOptions Options(int n_step = 1) {
  TableOptions options;
  options.config.set_name("replay");
  options.config.mutable_transitions()->set_n_step(n_step);
  options.run_id = "run";
  return options;
}

class ReplayTablesTest : public testing::Test {
 protected:
  void SaveCheckpointAt(int64_t env_steps) {
    Checkpoint checkpoint;
    checkpoint.manifest.set_env_steps(env_steps);
    ASSERT_EQ(SaveCheckpoint(run_, checkpoint, /*keep=*/10), absl::OkStatus());
  }
  void SaveTable() {
    auto table = Table::Create(Options());
    ASSERT_TRUE(table.ok()) << table.status();
    const auto saved = SaveTables(ReplayFolder(run_), {Checkpointed(**table)}, /*keep=*/2);
    ASSERT_TRUE(saved.ok()) << saved.status();
  }
  // As a life of the run does: from `from`, to a checkpoint at `env_steps` if it ends well.
  void Live(const ResumedCheckpoint& from, int64_t env_steps, bool ends_well = true) {
    if (from.chosen)
      ASSERT_EQ(SupersedeAfter(run_, *FindCheckpoint(run_, absl::StrCat(from.env_steps))),
                absl::OkStatus());
    ASSERT_EQ(PrepareTables(run_, from, Options()), absl::OkStatus());
    SaveTable();
    SaveCheckpointAt(env_steps);
    const int64_t before = NewestTable(run_);
    SaveTable();
    if (ends_well) ASSERT_EQ(PairNewestTable(run_, before), absl::OkStatus());
  }
  ResumedCheckpoint From(int64_t env_steps, bool chosen = false) {
    const auto checkpoint = LoadCheckpoint(*FindCheckpoint(run_, absl::StrCat(env_steps)));
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    return {env_steps, checkpoint->manifest.replay_checkpoint(), chosen};
  }
  std::vector<int64_t> Tables() { return *ListTableCheckpoints(ReplayFolder(run_)); }

  const TempFolder temp_;
  const std::string run_ = temp_ / "run";
};

TEST_F(ReplayTablesTest, TheLastTableBelongsToTheLastCheckpoint) {
  Live({}, 100);
  EXPECT_EQ(From(100).replay_checkpoint, "replay/replay-2.checkpoint");
  ASSERT_EQ(PrepareTables(run_, From(100), Options()), absl::OkStatus());
  EXPECT_THAT(Tables(), ElementsAre(1, 2));
}

TEST_F(ReplayTablesTest, AnEarlierCheckpointHasNoTable) {
  Live({}, 100);
  Live(From(100), 200);
  ASSERT_EQ(PrepareTables(run_, From(100, /*chosen=*/true), Options()), absl::OkStatus());
  EXPECT_THAT(Tables(), IsEmpty());
}

TEST_F(ReplayTablesTest, ANewTableIsNotTakenForAnOldOneOfItsNumber) {
  Live({}, 100);
  Live(From(100), 200);
  Live(From(100, /*chosen=*/true), 150);
  EXPECT_EQ(From(150).replay_checkpoint, "replay/replay-2.checkpoint");
  EXPECT_EQ(From(100).replay_checkpoint, "");
}

TEST_F(ReplayTablesTest, LaterTablesThanTheOneThatBelongsAreRemoved) {
  Live({}, 100);
  SaveTable();
  ASSERT_EQ(PrepareTables(run_, From(100), Options()), absl::OkStatus());
  EXPECT_EQ(NewestTable(run_), 2);
}

TEST_F(ReplayTablesTest, ALifeThatWasKilledLeavesItsNewestTable) {
  Live({}, 100, /*ends_well=*/false);
  EXPECT_EQ(From(100).replay_checkpoint, "");
  ASSERT_EQ(PrepareTables(run_, From(100), Options()), absl::OkStatus());
  EXPECT_EQ(NewestTable(run_), 2);
  // But not to a checkpoint that was chosen, which may be any.
  ASSERT_EQ(PrepareTables(run_, From(100, /*chosen=*/true), Options()), absl::OkStatus());
  EXPECT_THAT(Tables(), IsEmpty());
}

TEST_F(ReplayTablesTest, ALifeInOneProcessLeavesThemBehind) {
  Live({}, 100, /*ends_well=*/false);
  ASSERT_EQ(AbandonTables(run_), absl::OkStatus());
  SaveCheckpointAt(200);
  ASSERT_EQ(PrepareTables(run_, From(200), Options()), absl::OkStatus());
  EXPECT_THAT(Tables(), IsEmpty());
}

TEST_F(ReplayTablesTest, ARunThatBeginsHasNoTable) {
  ASSERT_EQ(PrepareTables(run_, {}, Options()), absl::OkStatus());
  SaveTable();  // It was killed before its first checkpoint with steps.
  ASSERT_EQ(PrepareTables(run_, {}, Options()), absl::OkStatus());
  EXPECT_THAT(Tables(), IsEmpty());
}

TEST_F(ReplayTablesTest, AfterAGoodEndNoOtherCheckpointTakesItsTable) {
  Live({}, 100);
  SaveCheckpointAt(200);
  ASSERT_EQ(PrepareTables(run_, From(200), Options()), absl::OkStatus());
  EXPECT_THAT(Tables(), IsEmpty());
}

TEST_F(ReplayTablesTest, ATableOfAnotherConfigIsNotUsed) {
  Live({}, 100);
  ASSERT_EQ(PrepareTables(run_, From(100), Options(/*n_step=*/3)), absl::OkStatus());
  EXPECT_THAT(Tables(), IsEmpty());
}

TEST_F(ReplayTablesTest, AServerThatSavedNoLastTableLeavesNone) {
  ASSERT_EQ(PrepareTables(run_, {}, Options()), absl::OkStatus());
  SaveTable();
  SaveCheckpointAt(100);
  ASSERT_EQ(PairNewestTable(run_, NewestTable(run_)), absl::OkStatus());
  EXPECT_EQ(From(100).replay_checkpoint, "");
}

}  // namespace
}  // namespace cadre
