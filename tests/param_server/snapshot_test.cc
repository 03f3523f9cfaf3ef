#include "param_server/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/learner/file_size_limit.h"
#include "tests/learner/temp_folder.h"
#include "tests/param_server/shared_models.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// Pushes gradient `sequence`, which makes version sequence + 1.
void Push(ParameterStore& store, uint64_t sequence) {
  ASSERT_TRUE(
      store.PushGradient(MakeGradient(static_cast<int64_t>(sequence), {1, 2, 3, 4}, 5, sequence))
          .ok());
}

void Start(ParameterStore& store) {
  ASSERT_TRUE(store.StartModel(MakeSharedModel("rms_prop {}")).ok());
  Push(store, 1);
}

std::string Path(const TempFolder& folder, int number) {
  return folder / ("parameters-" + std::to_string(number) + ".checkpoint");
}

TEST(SnapshotTest, ARestoredServerGoesOnAsTheOtherWouldHave) {
  const TempFolder folder;
  ParameterStore store("run");
  Start(store);
  ASSERT_TRUE(store
                  .Publish([] {
                    auto parameters = MakeParameters(3, 300'000);  // More than one block.
                    parameters->set_model("published");
                    return parameters;
                  }())
                  .ok());
  ASSERT_TRUE(store.SetRunState(v1::RUN_STATE_PAUSED).ok());
  const auto saved = SaveSnapshot(folder.path(), store, 2);
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->path, Path(folder, 1));
  EXPECT_EQ(saved->bytes, std::filesystem::file_size(saved->path));

  ParameterStore restored("run");
  const auto from = RestoreSnapshot(folder.path(), &restored);
  ASSERT_TRUE(from.ok()) << from.status();
  EXPECT_THAT(from->warnings, SizeIs(0));
  EXPECT_EQ(restored.Read("").run_state, v1::RUN_STATE_PAUSED);
  EXPECT_EQ(restored.Read("published").newest->values(), store.Read("published").newest->values());
  for (ParameterStore* each : {&store, &restored}) Push(*each, 2);
  EXPECT_EQ(restored.FetchModel("policy")->SerializeAsString(),
            store.FetchModel("policy")->SerializeAsString());
}

TEST(SnapshotTest, ADamagedOneIsPassedOverForTheOneBefore) {
  const TempFolder folder;
  ParameterStore store("run");
  Start(store);
  ASSERT_TRUE(SaveSnapshot(folder.path(), store, 2).ok());
  Push(store, 2);
  ASSERT_TRUE(SaveSnapshot(folder.path(), store, 2).ok());
  std::string bytes = Slurp(Path(folder, 2));
  for (size_t at = 0; at < bytes.size(); at += 37) {
    bytes[at] ^= 1;
    Spill(Path(folder, 2), bytes);
    bytes[at] ^= 1;
    ParameterStore restored("run");
    const auto from = RestoreSnapshot(folder.path(), &restored);
    ASSERT_TRUE(from.ok()) << from.status() << " at " << at;
    ASSERT_THAT(from->warnings, SizeIs(1)) << at;
    ASSERT_EQ(from->path, Path(folder, 1));
    ASSERT_EQ(restored.Read("policy").newest->version(), 2);
  }
  Spill(Path(folder, 1), "");
  Spill(Path(folder, 2), bytes.substr(0, bytes.size() - 1));
  ParameterStore restored("run");
  const absl::Status status = RestoreSnapshot(folder.path(), &restored).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has no intact parameters checkpoint"));
}

TEST(SnapshotTest, SomeAreKeptAndOtherFilesAreNotTouched) {
  const TempFolder folder;
  ParameterStore store("run");
  EXPECT_EQ(RestoreSnapshot(folder.path(), &store).status().code(), absl::StatusCode::kNotFound);
  Start(store);
  for (const char* name : {"notes.txt", "parameters-1.checkpoint~", "replay-1.checkpoint"})
    Spill(folder / name, "mine");
  Spill(folder / "parameters-9.checkpoint.writing", "half of one, left by a crash");
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(SaveSnapshot(folder.path(), store, 2).ok());
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::UnorderedElementsAre("notes.txt", "parameters-1.checkpoint~",
                                                   "replay-1.checkpoint", "parameters-4.checkpoint",
                                                   "parameters-5.checkpoint"));
}

TEST(SnapshotTest, AFullDiskLosesNothing) {
  const TempFolder folder;
  ParameterStore store("run");
  Start(store);
  ASSERT_TRUE(SaveSnapshot(folder.path(), store, 1).ok());
  {
    const FileSizeLimit full(100);
    EXPECT_FALSE(SaveSnapshot(folder.path(), store, 1).ok());
  }
  ParameterStore restored("run");
  EXPECT_TRUE(RestoreSnapshot(folder.path(), &restored).ok());
  EXPECT_EQ(restored.Read("policy").newest->version(), 2);
  EXPECT_TRUE(SaveSnapshot(folder.path(), store, 1).ok());
}

TEST(SnapshotTest, OfAnotherRunIsRefused) {
  const TempFolder folder;
  ParameterStore store("monday");
  Start(store);
  ASSERT_TRUE(SaveSnapshot(folder.path(), store, 1).ok());
  ParameterStore other("tuesday");
  const absl::Status status = RestoreSnapshot(folder.path(), &other).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("run id 'monday' differs; this server serves run 'tuesday'"));
}

}  // namespace
}  // namespace cadre
