#include "replay_server/storage/table_checkpointer.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/temp_folder.h"
#include "tests/replay_server/example_checkpoints.h"

namespace cadre {
namespace {

using Saved = absl::StatusOr<SavedCheckpoint>;

// A table that waits in Save() until it may go on.
class GatedTable {
 public:
  CheckpointedTable Named(const std::string& name) {
    CheckpointedTable table = table_.Named(name);
    table.save = [this](const CheckpointedTable::Write& write) {
      if (saves_.fetch_add(1) == 0) {
        entered_.Notify();
        gate_.WaitForNotification();
      }
      return table_.Save(write);
    };
    return table;
  }
  void WaitUntilSaving() { entered_.WaitForNotification(); }
  void GoOn() { gate_.Notify(); }
  int saves() const { return saves_.load(); }

 private:
  ExampleTable table_{"x"};
  std::atomic<int> saves_{0};
  absl::Notification entered_, gate_;
};

TEST(TableCheckpointerTest, SavesOnRequestAndTellsPathBytesAndListener) {
  const TempFolder folder;
  ExampleTable table{"contents"};
  std::vector<std::string> heard;
  TableCheckpointer checkpointer({folder.path()}, {table.Named("t")},
                                 [&](const Saved& saved, absl::Duration took) {
                                   heard.push_back(saved->path);
                                   EXPECT_GE(took, absl::ZeroDuration());
                                 });
  const Saved saved = checkpointer.Save();
  ASSERT_EQ(saved.status(), absl::OkStatus());
  EXPECT_EQ(saved->path, folder / "replay-1.checkpoint");
  EXPECT_EQ(saved->bytes, std::filesystem::file_size(saved->path));
  table.contents = "other";
  ASSERT_EQ(checkpointer.Save().status(), absl::OkStatus());
  checkpointer.Stop();
  EXPECT_THAT(heard,
              testing::ElementsAre(folder / "replay-1.checkpoint", folder / "replay-2.checkpoint"));
  ExampleTable restored;
  ASSERT_EQ(RestoreTables(folder.path(), {restored.Named("t")}).status(), absl::OkStatus());
  EXPECT_EQ(restored.contents, "other");
}

TEST(TableCheckpointerTest, SavesAgainAndAgainAndKeepsAFew) {
  const TempFolder folder;
  ExampleTable table{"x"};
  absl::Notification fifth;
  int count = 0;
  TableCheckpointer checkpointer({folder.path(), /*keep=*/2, absl::Milliseconds(1)},
                                 {table.Named("t")}, [&](const Saved& saved, absl::Duration) {
                                   EXPECT_EQ(saved.status(), absl::OkStatus());
                                   if (++count == 5) fifth.Notify();
                                 });
  fifth.WaitForNotification();
  checkpointer.Stop();
  EXPECT_EQ(ListTableCheckpoints(folder.path())->size(), 2);
}

TEST(TableCheckpointerTest, WithoutAPeriodNothingIsSavedUnasked) {
  const TempFolder folder;
  ExampleTable table{"x"};
  { const TableCheckpointer checkpointer({folder.path()}, {table.Named("t")}, nullptr); }
  EXPECT_THAT(*ListTableCheckpoints(folder.path()), testing::IsEmpty());
}

TEST(TableCheckpointerTest, RequestsDuringACheckpointShareTheNext) {
  const TempFolder folder;
  GatedTable table;
  TableCheckpointer checkpointer({folder.path(), /*keep=*/9}, {table.Named("t")}, nullptr);
  checkpointer.Request([](const Saved&) {});
  table.WaitUntilSaving();
  std::vector<std::string> paths;
  for (int i = 0; i < 5; ++i)
    checkpointer.Request([&](const Saved& saved) { paths.push_back(saved->path); });
  table.GoOn();
  EXPECT_EQ(checkpointer.Save().status(), absl::OkStatus());  // With them, or after.
  checkpointer.Stop();
  EXPECT_EQ(paths, std::vector<std::string>(5, folder / "replay-2.checkpoint"));
}

TEST(TableCheckpointerTest, StopFinishesWhatIsBeingWrittenAndCancelsTheRest) {
  const TempFolder folder;
  GatedTable table;
  TableCheckpointer checkpointer({folder.path()}, {table.Named("t")}, nullptr);
  absl::Status running, waiting, late;
  checkpointer.Request([&](const Saved& saved) { running = saved.status(); });
  table.WaitUntilSaving();
  checkpointer.Request([&](const Saved& saved) { waiting = saved.status(); });
  std::thread stopping([&] { checkpointer.Stop(); });
  // Once Stop() has begun, requests are refused at once; until then they wait.
  std::atomic<bool> refused{false};
  while (!refused)
    checkpointer.Request([&](const Saved& saved) {
      if (absl::IsCancelled(saved.status())) refused = true;
    });
  table.GoOn();
  stopping.join();
  checkpointer.Request([&](const Saved& saved) { late = saved.status(); });
  EXPECT_EQ(running, absl::OkStatus());
  EXPECT_EQ(waiting.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(late.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(checkpointer.Save().status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(table.saves(), 1);
}

TEST(TableCheckpointerTest, AFailureIsToldAndTheNextOneIsTriedAgain) {
  const TempFolder folder;
  Spill(folder / "file", "");
  ExampleTable table{"x"};
  TableCheckpointer checkpointer({folder / "file"}, {table.Named("t")}, nullptr);
  EXPECT_FALSE(checkpointer.Save().ok());
  std::filesystem::remove(folder / "file");
  EXPECT_EQ(checkpointer.Save().status(), absl::OkStatus());
}

}  // namespace
}  // namespace cadre
