#include "replay_server/storage/table_checkpoint.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "common/files/checkpoint_file.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/file_size_limit.h"
#include "tests/learner/temp_folder.h"
#include "tests/replay_server/example_checkpoints.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> NamesIn(const TempFolder& folder) {
  absl::StatusOr<std::vector<std::string>> names = ListDirectory(folder.path());
  EXPECT_EQ(names.status(), absl::OkStatus());
  return *std::move(names);
}

absl::StatusOr<SavedCheckpoint> Save(const TempFolder& folder, const std::string& contents,
                                     int keep = 10) {
  ExampleTable table{contents};
  return SaveTables(folder.path(), {table.Named("replay")}, keep);
}

struct Loaded {
  absl::StatusOr<RestoredCheckpoint> restored;
  std::string contents;
};
Loaded Load(const TempFolder& folder) {
  ExampleTable table;
  absl::StatusOr<RestoredCheckpoint> restored =
      RestoreTables(folder.path(), {table.Named("replay")});
  return {std::move(restored), table.contents};
}

// --- Whole checkpoints ---

TEST(TableCheckpointTest, RestoresWhatWasSavedInWhateverPieces) {
  for (const size_t size : {0, 1, 1000, (1 << 20) - 8, 1 << 20, 5'000'000}) {
    const TempFolder folder;
    ExampleTable first{RandomText(1, size), /*piece=*/777}, second{"b"};
    const absl::StatusOr<SavedCheckpoint> saved =
        SaveTables(folder.path(), {first.Named("first"), second.Named("second")}, 1);
    ASSERT_EQ(saved.status(), absl::OkStatus());
    EXPECT_EQ(saved->path, folder / "replay-1.checkpoint");
    EXPECT_EQ(saved->bytes, std::filesystem::file_size(saved->path));

    ExampleTable a{"", /*piece=*/3'000'000}, b{"", /*piece=*/1};
    const absl::StatusOr<RestoredCheckpoint> restored =
        RestoreTables(folder.path(), {b.Named("second"), a.Named("first")});
    ASSERT_EQ(restored.status(), absl::OkStatus());
    EXPECT_EQ(restored->path, saved->path);
    EXPECT_THAT(restored->warnings, IsEmpty());
    EXPECT_TRUE(a.contents == first.contents) << size;
    EXPECT_EQ(b.contents, "b");
  }
}

TEST(TableCheckpointTest, TheNewestCountsByNumberNotByName) {
  const TempFolder folder;
  for (int i = 1; i <= 11; ++i)
    ASSERT_EQ(Save(folder, std::to_string(i), 20).status(), absl::OkStatus());
  const Loaded loaded = Load(folder);
  EXPECT_EQ(loaded.contents, "11");
  EXPECT_EQ(loaded.restored->path, folder / "replay-11.checkpoint");
}

TEST(TableCheckpointTest, KeepsThatManyAndMakesItsFolder) {
  const TempFolder parent;
  const std::string folder = parent / "a/b";
  ExampleTable table{"x"};
  for (int i = 0; i < 7; ++i)
    ASSERT_EQ(SaveTables(folder, {table.Named("t")}, 3).status(), absl::OkStatus());
  EXPECT_THAT(*ListTableCheckpoints(folder), ElementsAre(5, 6, 7));
  ASSERT_EQ(SaveTables(folder, {table.Named("t")}, 1).status(), absl::OkStatus());
  EXPECT_THAT(*ListDirectory(folder), ElementsAre("replay-8.checkpoint"));
}

TEST(TableCheckpointTest, StrayFilesAreUntouchedAndNeverLoaded) {
  const TempFolder folder;
  const std::vector<std::string> strays = {"replay-.checkpoint",
                                           "replay-007.checkpoint",
                                           "replay-1.checkpoint.bak",
                                           "replay--1.checkpoint",
                                           "replay-x.checkpoint",
                                           "replay-99999999999999999999.checkpoint",
                                           "table-1.checkpoint",
                                           "notes.txt",
                                           "x.writing",
                                           "replay-07.checkpoint.writing"};
  for (const std::string& name : strays) Spill(folder / name, "mine: " + name);
  std::filesystem::create_directories(folder / "replay-40.checkpoint/mine");
  EXPECT_TRUE(absl::IsNotFound(Load(folder).restored.status()));
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(Save(folder, std::to_string(i), 1).status(), absl::OkStatus());
  const Loaded loaded = Load(folder);
  ASSERT_EQ(loaded.restored.status(), absl::OkStatus());
  EXPECT_EQ(loaded.contents, "4");
  EXPECT_THAT(loaded.restored->warnings, IsEmpty());
  for (const std::string& name : strays) EXPECT_EQ(Slurp(folder / name), "mine: " + name);
  EXPECT_TRUE(std::filesystem::is_directory(folder / "replay-40.checkpoint/mine"));
  EXPECT_EQ(NamesIn(folder).size(), strays.size() + 2);
}

TEST(TableCheckpointTest, SaysWhereThereIsNothing) {
  const TempFolder folder;
  const absl::Status empty = Load(folder).restored.status();
  EXPECT_EQ(empty.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(empty.message()),
            "folder '" + folder.path() + "' has no replay checkpoints");
  ExampleTable table;
  EXPECT_TRUE(absl::IsNotFound(RestoreTables(folder / "none", {table.Named("t")}).status()));
  Spill(folder / "file", "");
  EXPECT_EQ(RestoreTables(folder / "file", {table.Named("t")}).status().code(),
            absl::StatusCode::kPermissionDenied)
      << "not a folder: no reason to begin with empty tables";
}

TEST(TableCheckpointTest, RefusesOtherTablesWithBothLists) {
  const TempFolder folder;
  ASSERT_EQ(Save(folder, "x").status(), absl::OkStatus());
  ExampleTable a, b;
  const absl::Status status =
      RestoreTables(folder.path(), {b.Named("other"), a.Named("replay")}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("is of other tables: got replay; wanted other, replay"));
  EXPECT_EQ(RestoreTables(folder.path(), {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(TableCheckpointTest, ATablesOwnRefusalNamesItAndTheFile) {
  const TempFolder folder;
  ASSERT_EQ(Save(folder, "x").status(), absl::OkStatus());
  ExampleTable table;
  CheckpointedTable picky = table.Named("replay");
  picky.restore = [](const CheckpointedTable::Read&) {
    return absl::FailedPreconditionError("n_step: got 3; wanted 1");
  };
  const absl::Status status = RestoreTables(folder.path(), {picky}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(status.message()), "checkpoint '" + folder.path() +
                                               "/replay-1.checkpoint', table 'replay': n_step: got "
                                               "3; wanted 1");
}

TEST(TableCheckpointTest, TheNewestOfTheSameConfigIsRestored) {
  const TempFolder folder;
  for (const char* contents : {"mine 1", "mine 2", "other", "other again"})
    ASSERT_EQ(Save(folder, contents).status(), absl::OkStatus());
  ExampleTable table;
  CheckpointedTable mine = table.Named("replay");
  mine.check = [](const CheckpointedTable::Read& read) -> absl::Status {
    std::string begin(sizeof(uint64_t) + 4, '\0');
    CADRE_RETURN_IF_ERROR(read(BytesOf(begin)));
    if (begin.substr(sizeof(uint64_t)) == "mine") return absl::OkStatus();
    return absl::FailedPreconditionError("n_step: got 3; wanted 1");
  };
  const absl::StatusOr<RestoredCheckpoint> restored = RestoreTables(folder.path(), {mine});
  ASSERT_EQ(restored.status(), absl::OkStatus());
  EXPECT_EQ(table.contents, "mine 2");
  ASSERT_THAT(restored->warnings, SizeIs(2));
  EXPECT_EQ(restored->warnings[0], "checkpoint '" + folder.path() +
                                       "/replay-4.checkpoint', table 'replay': n_step: got 3; "
                                       "wanted 1");
  // Where there is no such one, that is no reason to begin with empty tables.
  mine.check = [](const CheckpointedTable::Read&) {
    return absl::FailedPreconditionError("n_step: got 3; wanted 2");
  };
  EXPECT_EQ(RestoreTables(folder.path(), {mine}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(TableCheckpointTest, ATableMustWantExactlyItsBytes) {
  const TempFolder folder;
  ASSERT_EQ(Save(folder, "12345").status(), absl::OkStatus());
  ExampleTable table;
  CheckpointedTable reader = table.Named("replay");
  for (const size_t wanted : {12, 14}) {
    reader.restore = [wanted](const CheckpointedTable::Read& read) {
      std::string bytes(wanted, '\0');
      return read(BytesOf(bytes));
    };
    EXPECT_TRUE(absl::IsDataLoss(RestoreTables(folder.path(), {reader}).status())) << wanted;
  }
}

// --- Damage ---

// The newest of two has 40 kB of random bytes in two tables.
class DamagedTest : public testing::Test {
 protected:
  DamagedTest() {
    Write("older");
    Write(RandomText(3, 40'000));
    newest_ = folder_ / "replay-2.checkpoint";
    intact_ = Slurp(newest_);
  }

  void Write(const std::string& contents) {
    ExampleTable first{contents}, second{contents};
    EXPECT_EQ(
        SaveTables(folder_.path(), {first.Named("first"), second.Named("second")}, 5).status(),
        absl::OkStatus());
  }

  void ExpectTheOlderIsLoaded(const std::string& damaged) {
    Spill(newest_, damaged);
    ExampleTable first, second;
    const absl::StatusOr<RestoredCheckpoint> restored =
        RestoreTables(folder_.path(), {first.Named("first"), second.Named("second")});
    ASSERT_EQ(restored.status(), absl::OkStatus());
    ASSERT_EQ(restored->path, folder_ / "replay-1.checkpoint");
    ASSERT_EQ(first.contents, "older");
    ASSERT_EQ(second.contents, "older");
    ASSERT_EQ(restored->warnings.size(), 1);
    ASSERT_THAT(restored->warnings[0],
                testing::StartsWith("'" + newest_ + "' is damaged before byte "));
    ASSERT_EQ(restored->warnings[0].find('\n'), std::string::npos);
    ASSERT_EQ(Slurp(newest_), damaged) << "it is left as it is";
  }

  const TempFolder folder_;
  std::string newest_;
  std::string intact_;
};

TEST_F(DamagedTest, AtAnyOneByteTheOneBeforeIsLoaded) {
  Random random(11);
  std::vector<size_t> places;
  for (size_t i = 0; i < 60; ++i) places.push_back(i);                       // All headers,
  for (size_t i = 0; i < 30; ++i) places.push_back(intact_.size() - 1 - i);  // the end,
  for (int i = 0; i < 300; ++i) places.push_back(random.Below(intact_.size()));
  for (const size_t place : places) {
    std::string damaged = intact_;
    damaged[place] = static_cast<char>(damaged[place] ^ (1 << random.Below(8)));
    ASSERT_NO_FATAL_FAILURE(ExpectTheOlderIsLoaded(damaged)) << "byte " << place;
  }
}

TEST_F(DamagedTest, TruncatedAnywhereTheOneBeforeIsLoaded) {
  Random random(12);
  for (size_t size = 0; size < 60; ++size)
    ASSERT_NO_FATAL_FAILURE(ExpectTheOlderIsLoaded(intact_.substr(0, size))) << size;
  for (int i = 0; i < 100; ++i) {
    const size_t size = random.Below(intact_.size());
    ASSERT_NO_FATAL_FAILURE(ExpectTheOlderIsLoaded(intact_.substr(0, size))) << size;
  }
  ExpectTheOlderIsLoaded(intact_.substr(0, intact_.size() - 1));
}

TEST_F(DamagedTest, BytesThatCameInOrWentAreNoticed) {
  Random random(13);
  for (int i = 0; i < 100; ++i) {
    const size_t place = random.Below(intact_.size());
    const size_t count = 1 + random.Below(100);
    std::string less = intact_, more = intact_;
    less.erase(place, count);
    more.insert(place, std::string(count, '\0'));
    ASSERT_NO_FATAL_FAILURE(ExpectTheOlderIsLoaded(less)) << count << " bytes from " << place;
    ASSERT_NO_FATAL_FAILURE(ExpectTheOlderIsLoaded(more)) << count << " bytes at " << place;
  }
  ExpectTheOlderIsLoaded(intact_ + '\0');
  ExpectTheOlderIsLoaded(intact_ + intact_);
}

TEST_F(DamagedTest, ABlockCannotStandForAnother) {
  // Both tables' blocks are alike; only their names and places differ.
  const size_t part = 12 + std::string("first").size();
  const size_t data = 12 + 8 + 40'000;
  const size_t begin = 16;
  ASSERT_EQ(intact_.substr(begin + part + 12, 100),
            intact_.substr(begin + part + data + 12 + 6 + 12, 100));
  std::string swapped = intact_;
  swapped.replace(begin + part, 12, intact_, begin + part + data + 12 + 6, 12);
  ExpectTheOlderIsLoaded(swapped);
}

TEST_F(DamagedTest, WhereAllAreDamagedEachIsNamed) {
  Spill(newest_, "x");
  Spill(folder_ / "replay-1.checkpoint", "");
  ExampleTable first, second;
  const absl::Status status =
      RestoreTables(folder_.path(), {first.Named("first"), second.Named("second")}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("has no intact replay checkpoint"),
                             HasSubstr("replay-2.checkpoint' is damaged"),
                             HasSubstr("replay-1.checkpoint' is damaged")));
  EXPECT_EQ(first.contents, "") << "no table was touched";
}

// --- What goes wrong while saving ---

TEST(TableCheckpointTest, AFullDiskLosesNothingAndLeavesNothingHalfWritten) {
  const TempFolder folder;
  ASSERT_EQ(Save(folder, "before", 1).status(), absl::OkStatus());
  const std::string text = RandomText(1, 3'000'000);
  for (const rlim_t limit : {0, 10, 100, 1'500'000, 3'000'000}) {
    absl::Status status;
    {
      const FileSizeLimit full(limit);
      status = Save(folder, text, 1).status();
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << limit << ": " << status;
    EXPECT_THAT(NamesIn(folder), ElementsAre("replay-1.checkpoint"));
    EXPECT_EQ(Load(folder).contents, "before");
  }
  ASSERT_EQ(Save(folder, text, 1).status(), absl::OkStatus()) << "when there is room again";
  EXPECT_TRUE(Load(folder).contents == text);
}

TEST(TableCheckpointTest, ATableThatCannotBeSavedLeavesTheFormerCheckpoint) {
  const TempFolder folder;
  ASSERT_EQ(Save(folder, "before", 1).status(), absl::OkStatus());
  ExampleTable table;
  CheckpointedTable closed = table.Named("replay");
  closed.save = [](const CheckpointedTable::Write& write) {
    std::string some = "half of it";
    EXPECT_EQ(write(BytesOf(some)), absl::OkStatus());
    return absl::CancelledError("closed");
  };
  EXPECT_EQ(SaveTables(folder.path(), {closed}, 1).status(), absl::CancelledError("closed"));
  EXPECT_THAT(NamesIn(folder), ElementsAre("replay-1.checkpoint"));
  EXPECT_EQ(Load(folder).contents, "before");
}

TEST(TableCheckpointTest, ACrashWhileWritingCostsOnlyThatCheckpoint) {
  const TempFolder folder;
  ASSERT_EQ(Save(folder, "before").status(), absl::OkStatus());
  const pid_t child = fork();
  if (child == 0) {
    ExampleTable table;
    CheckpointedTable crashing = table.Named("replay");
    crashing.save = [](const CheckpointedTable::Write& write) -> absl::Status {
      std::string some(3'000'000, 'x');
      write(BytesOf(some)).IgnoreError();
      _exit(9);
    };
    SaveTables(folder.path(), {crashing}, 1).IgnoreError();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 9);
  EXPECT_THAT(NamesIn(folder), ElementsAre("replay-1.checkpoint", "replay-2.checkpoint.writing"));
  EXPECT_EQ(Load(folder).contents, "before");
  ASSERT_EQ(Save(folder, "after").status(), absl::OkStatus());
  EXPECT_THAT(NamesIn(folder), ElementsAre("replay-1.checkpoint", "replay-2.checkpoint"));
  EXPECT_EQ(Load(folder).contents, "after");
}

TEST(TableCheckpointTest, ACrashBetweenWriteAndRenameCostsOnlyThatCheckpoint) {
  const TempFolder folder;
  ASSERT_EQ(Save(folder, "before").status(), absl::OkStatus());
  ASSERT_EQ(Save(folder, "whole, but without its name").status(), absl::OkStatus());
  std::filesystem::rename(folder / "replay-2.checkpoint", folder / "replay-2.checkpoint.writing");
  const Loaded loaded = Load(folder);
  EXPECT_EQ(loaded.contents, "before");
  EXPECT_THAT(loaded.restored->warnings, IsEmpty());
  ASSERT_EQ(Save(folder, "after").status(), absl::OkStatus());
  EXPECT_THAT(NamesIn(folder), ElementsAre("replay-1.checkpoint", "replay-2.checkpoint"));
}

TEST(CheckpointFileWriterTest, WithoutCommitNothingIsLeft) {
  const TempFolder folder;
  {
    CheckpointFileWriter writer(folder / "a", kReplayCheckpoint);
    ASSERT_EQ(writer.Open(), absl::OkStatus());
    ASSERT_EQ(writer.BeginPart("part"), absl::OkStatus());
    EXPECT_THAT(NamesIn(folder), ElementsAre("a.writing"));
    CheckpointFileWriter other(folder / "a", kReplayCheckpoint);
    EXPECT_EQ(other.Open().code(), absl::StatusCode::kPermissionDenied) << "it is being written";
  }
  EXPECT_THAT(NamesIn(folder), IsEmpty());
}

}  // namespace
}  // namespace cadre
